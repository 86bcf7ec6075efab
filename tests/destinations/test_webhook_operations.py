"""Each operation may have a method, an address, headers and a payload of its own."""

from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError
from webhooks import HOOK, Arrived, person, reasons, receiver, sync

from destination.problems import explained
from destinations.webhook import Settings

URL = "https://example.com/rows"


async def test_an_operation_has_its_own_request(serve):
    """What it does not say is as for the others."""
    settings = {
        "url": "{url}/people",
        "headers": {"X-All": "1"},
        "operations": {
            "change": {"method": "PUT", "url": "{url}/people/{{ email }}"},
            "remove": {
                "method": "DELETE",
                "url": "{url}/people/{{ row_id }}?by={{ operation }}",
                "headers": {"X-Gone": "{{ id }}"},
                "template": {"gone": "{{ email }}"},
            },
        },
    }
    async with receiver(serve, **settings) as (served, received):
        for method in ("add", "change", "remove"):
            assert await reasons(served, method, sync(person("a/b"))) == {}

    add, change, remove = received.requests
    assert (add.method, add.path) == ("POST", "/people")
    assert (change.method, change.path) == ("PUT", "/people/a%2Fb%40example.com")
    assert (remove.method, remove.path) == ("DELETE", "/people/a%2Fb?by=remove")
    assert add.body.keys() == change.body.keys() == {"operation", "id", "fields"}
    assert remove.body == {"gone": "a/b@example.com"}
    assert (add.headers["X-All"], change.headers["X-All"]) == ("1", "1")
    assert (remove.headers.get("X-All"), remove.headers["X-Gone"]) == (None, "a/b")


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"template": {"email": "{{ email }}"}},
        {"template": {"email": "{{ email }}"}, "encoding": "form"},
        {"batching": "array", "wrapper": "events", "batch_size": 50},
        {"payload": "event"},
    ],
)
async def test_a_removal_may_have_no_body(serve, others):
    """Neither a body nor a type of one, whatever the other operations send."""
    remove = {"method": "DELETE", "url": "{url}/people/{{ row_id }}", "payload": "none"}
    async with receiver(serve, operations={"remove": remove}, **others) as (served, received):
        assert await reasons(served, "remove", sync(person(1), person(2))) == {}
        assert await reasons(served, "add", sync(person(1))) == {}

    *removals, add = received.requests
    assert sorted(each.path for each in removals) == ["/people/1", "/people/2"]
    for each in removals:
        assert (each.method, each.content) == ("DELETE", b"")
        assert "Content-Type" not in each.headers
        assert each.headers.get("Content-Length", "0") == "0"
    assert add.content


async def test_a_mode_may_mix_arrays_and_single_rows(serve):
    """Each row that goes alone has its own outcome."""

    def answer(arrived: Arrived) -> web.Response:
        return web.Response(status=404 if arrived.path == "/people/3" else 200)

    remove = {"method": "DELETE", "url": "{url}/people/{{ row_id }}", "payload": "none"}
    settings = {"batching": "array", "operations": {"remove": remove}, "answers": answer}
    async with receiver(serve, **settings) as (served, received):
        rows = [person(n) for n in range(150)]
        assert await reasons(served, "add", sync(*rows)) == {}
        rejected = await reasons(served, "remove", sync(*rows))

    assert rejected == {3: "VENDOR_REJECTED: the vendor answered 404"}
    assert [each.method for each in received.requests].count("DELETE") == 150
    assert len(received.requests) == 152


async def test_an_operation_may_have_its_own_answers(serve):
    """What is gone already was removed."""
    operations = {"remove": {"answer": {"statuses": {"404": "delivered"}}}}
    async with receiver(serve, status=404, operations=operations) as (served, _):
        assert await reasons(served, "remove", sync(person(1))) == {}
        assert (await reasons(served, "add", sync(person(1)))).keys() == {1}


async def test_modes_that_send_less_do_not_mind_the_rest(serve):
    """A row of an operation that the mode does not send is rejected as before."""
    operations = {"remove": {"payload": "none", "method": "DELETE"}}
    async with receiver(serve, operations=operations) as (served, received):
        rejected = await reasons(served, "remove", sync(person(1), mode="upsert"))
        behavior = await served.result("behavior", {}, path=HOOK)

    assert rejected[1].startswith("NOT_SUPPORTED: ")
    assert received.requests == []
    assert behavior["operations"]["remove"] is True


@pytest.mark.parametrize(
    ("operations", "problems"),
    [
        ({"remove": {"url": "/people"}}, ["operations.remove.url: must start with https:// (or h"]),
        (
            {"remove": {"url": "https://x.example/{{ a"}},
            ["operations.remove.url: line 1, column 19"],
        ),
        ({"remove": {"method": "GET"}}, ["operations.remove.method: must be 'POST', "]),
        ({"remove": {"mehtod": "PUT"}}, ['operations.remove.mehtod: Setting "mehtod" does not ']),
        ({"remove": {"auth": {}}}, ['operations.remove.auth: Setting "auth" does not exist']),
        (
            {"remove": {"headers": {"X-A": "é"}}},
            ["operations.remove.headers.X-A: line 1, column 1"],
        ),
        ({"remove": {"template": '{"a": }'}}, ["operations.remove.template: line 1, column 7: "]),
        (
            {"remove": {"answer": {"statuses": {"9": "x"}}}},
            ["operations.remove.answer.statuses"] * 2,
        ),
        (
            {"remove": {"payload": "none", "template": {"a": 1}}},
            ["operations.remove.payload: none leaves nothing for a template or an array"],
        ),
        (
            {"add": {"encoding": "form", "wrapper": "x"}},
            [
                "operations.add.template: a form needs one that is a table of its parameters",
                'operations.add.wrapper: needs batching = "array"',
            ],
        ),
        (
            {"add": {"url": "x"}, "remove": {"url": "y"}},
            ["operations.add.url: must start", "operations.remove.url: must start"],
        ),
        ({"delete": {}}, ["operations.delete: must be 'add', 'change' or 'remove'"]),
        ({"remove": "DELETE"}, ["operations.remove: must be a table"]),
    ],
)
def test_a_mistake_is_told_where_it_stands(operations: dict[str, Any], problems: list[str]):
    """A line each, under the operation's name."""
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate({"url": URL, "operations": operations})
    told = explained(raised.value, Settings)

    assert len(told) == len(problems)
    for line, start in zip(told, problems, strict=True):
        assert line.startswith(start)


def test_what_may_be_a_credential_is_not_shown():
    """An operation's address and headers are hidden as the others' are."""
    remove = {"url": URL + "/hunter2", "headers": {"X-A": "hunter2"}}
    made = Settings.model_validate({"url": URL, "operations": {"remove": remove}})

    assert "hunter2" not in f"{made!r} {made} {made.requests!r}"
