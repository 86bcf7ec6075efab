"""What may be declared of a request, and what is told of a mistake."""

from typing import Any

import pytest
from pydantic import ValidationError

from destination.problems import explained
from destination.spec.request import ARRAY_SIZE, LARGEST_ARRAY, Request

URL = "https://example.com/rows"
ARRAY = {"batching": "array"}
ABOUT = "rows of an array share nothing but event_id, "


def problems(**settings: Any) -> list[str]:
    """What is told, a line each."""
    with pytest.raises(ValidationError) as raised:
        Request.model_validate({"url": URL, **settings})
    return explained(raised.value, Request)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "https://example.com/{{ id }}?a={{ b }}"},
        {"url": "/below/a/base"},
        {"url": "https://[2001:db8::1]:8443/x"},
        {"query": {"a": "{{ b }}", "list": ["1", "{{ c }}"], "n": 5}},
        {"headers": {"X-A": "{{ b }}", "Content-Type": "text/plain"}},
        {"template": '{"a": {{ b }}}'},
        {"template": {"a": {"b": ["{{ c }}", 1, None, True]}}},
        {"template": ["{{ a }}"]},
        {"template": {"a": "{{ b }}"}, "encoding": "form"},
        {"payload": "none", "method": "DELETE"},
        {**ARRAY, "wrapper": "events", "batch_size": LARGEST_ARRAY},
        {**ARRAY, "wrapper": {"a": {"b": "{{ payloads }}"}, "c": "{{ operation }}"}},
        {**ARRAY, "wrapper": ["{{ event_id }}", "{{ payloads }}"]},
        {**ARRAY, "url": URL + "/{{ options.list }}?op={{ operation }}"},
        {**ARRAY, "headers": {"X-Id": "{{ event_id }}", "X-R": "{{ settings.region }}"}},
        {"max_batch_bytes": "512KiB"},
    ],
)
def test_what_makes_sense_is_taken(settings: dict[str, Any]):
    """Templates where values belong, and plain text anywhere."""
    assert Request.model_validate({"url": URL, **settings})


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"url": ""}, "url: "),
        ({"url": "https://"}, "url: "),
        ({"url": "https://{{ host }}/x"}, "url: line 1, column "),
        ({"url": "https://example.com:99999/"}, "url: its host is not valid"),
        ({"url": "https://user@example.com/"}, "url: credentials belong into auth"),
        ({"url": "https://example.com/a b"}, "url: line 1, column 22: a character that no URL has"),
        ({"url": "https://example.com/{{ a"}, "url: line 1, column 21: '{{' without '}}'"),
        ({"url": "https://x.example/{{ a | url_encode }}"}, "url: line 1, column 26: leave out"),
        ({"url": "https://x.example/../{{ a }}"}, "url: line 1, column "),
        ({"method": "GET"}, "method: must be 'POST', 'PUT', 'PATCH' or 'DELETE'"),
        ({"query": {"a": "{{ b"}}, "query: /a: line 1, column 1: '{{' without '}}'"),
        ({"query": {"": "b"}}, "query.: must not be empty"),
        ({"headers": {"X-A": "{{ b }"}}, "headers.X-A: line 1, column 1: '{{' without '}}'"),
        ({"headers": {"X-A": "Zoë"}}, "headers.X-A: line 1, column 3: a character that no header"),
        ({"headers": {"Host": "x"}}, "headers.Host: is a header that the connection itself writes"),
        ({"headers": {"X A": "x"}}, "headers.X A: is no header's name, which may hold"),
        ({"template": '{"a": }'}, "template: line 1, column 7: this is no JSON: expecting value"),
        ({"template": '{"a": {{ b | nope }}}'}, "template: line 1, column 14: unknown filter"),
        ({"template": {"a": ["{{ b"]}}, "template: /a/0: line 1, column 1: '{{' without '}}'"),
        ({"template": {"{{ a }}": 1}}, "template: a name must be text, and cannot be a template."),
        ({"template": 5}, "template: must be text, a table or a list"),
        (
            {"template": "{{#each items}}{{this}}{{/each}}"},
            "template: line 1, column 3: Handlebars loops are not known",
        ),
        ({"encoding": "form"}, "template: a form needs one that is a table of its parameters"),
        (
            {"encoding": "form", "template": '{"a": 1}'},
            "template: a form needs one that is a table of its parameters",
        ),
        (
            {"encoding": "form", "template": {"a": "{{ b | url_encode }}"}},
            "template: /a: line 1, column 8: leave out 'url_encode'",
        ),
        (
            {"encoding": "form", "template": {"a": "{{ b }}"}, **ARRAY},
            "encoding: a form cannot hold an array of payloads",
        ),
        ({"payload": "none", "template": {"a": 1}}, "payload: none leaves nothing for"),
        ({"payload": "none", **ARRAY}, "payload: none leaves nothing for"),
        ({"wrapper": "events"}, 'wrapper: needs batching = "array"'),
        ({**ARRAY, "wrapper": ""}, "wrapper: as text it is the name of the member"),
        ({**ARRAY, "wrapper": '{"a": {{ payloads }}}'}, "wrapper: as text it is the name of"),
        ({**ARRAY, "wrapper": {"a": 1}}, "wrapper: has no place for the array"),
        (
            {**ARRAY, "wrapper": {"a": "{{ payloads }}", "b": "{{ email }}"}},
            f"wrapper: names email: {ABOUT}",
        ),
        ({**ARRAY, "url": URL + "/{{ id }}"}, f"url: names id: {ABOUT}"),
        ({**ARRAY, "query": {"a": "{{ email }}"}}, f"query: names email: {ABOUT}"),
        ({**ARRAY, "headers": {"X-A": "{{ row.a }}"}}, f"headers.X-A: names row: {ABOUT}"),
        ({**ARRAY, "batch_size": 0}, "batch_size: must be greater than 0"),
        ({**ARRAY, "batch_size": LARGEST_ARRAY + 1}, "batch_size: must be less than"),
        ({"max_batch_bytes": "lots"}, "max_batch_bytes: must be a number of bytes, or text such"),
        ({"query": "a=b"}, "query: must be a table"),
        ({**ARRAY, "wrapper": {"a": "{{ events }}"}}, "wrapper: has no place for the array"),
        ({"max_batch_bytes": 0}, "max_batch_bytes: "),
        (
            {"answer": {"statuses": {"4XX": "refused"}}},
            "answer.statuses.4XX: must be a status such",
        ),
        ({"answer": {"rows": {"at": "/e"}}}, "answer.rows: results in order need a message"),
        ({"answer": {"message": "error"}}, "answer.message: is no JSON Pointer"),
        ({"methd": "PUT"}, 'methd: Setting "methd" does not exist. Did you mean "method"?'),
    ],
)
def test_a_mistake_is_one_line(settings: dict[str, Any], problem: str):
    """It names the setting and what was expected there, with line and column in a template."""
    [told] = problems(**settings)

    assert told.startswith(problem)


def test_several_mistakes_are_several_lines():
    """Nobody has to mend one to learn of the next."""
    told = problems(encoding="form", wrapper="events")

    assert told == [
        "template: a form needs one that is a table of its parameters",
        'wrapper: needs batching = "array"',
    ]


def test_an_array_has_a_size():
    """By default a hundred; without an array each payload is a request."""
    assert Request(url=URL, batching="array").most == ARRAY_SIZE
    assert Request(url=URL, batching="array", batch_size=7).most == 7
    assert Request(url=URL, batch_size=7).most == 1


def test_what_may_be_a_credential_is_not_shown():
    """An operator may have put one into an address, a header or a payload."""
    made = Request.model_validate(
        {
            "url": URL + "/hunter2",
            "query": {"a": "hunter2"},
            "headers": {"X-A": "hunter2"},
            "template": {"key": "hunter2"},
            "wrapper": {"key": "hunter2", "events": "{{ payloads }}"},
            **ARRAY,
        }
    )

    assert "hunter2" not in f"{made!r} {made}"
