"""Templates render what liquidjs renders, and no template or row can do harm."""

import json
import time
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destination.errors import Code, ConfigError, DestinationError, RowError
from destination.template import MAX_SOURCE, Template, TemplateError, TemplateSyntaxError
from destination.template.filters import FILTERS
from destination.template.rendering import MAX_BYTES

SNIPPETS = json.loads((Path(__file__).parent / "liquidjs_snippets.json").read_text("utf-8"))[
    "snippets"
]
SAME = [snippet for snippet in SNIPPETS if "differs" not in snippet]
DIFFERENT = [snippet for snippet in SNIPPETS if "differs" in snippet]
BIG = "x" * 100_000
PATIENCE = 3  # seconds; without the limits each of these takes minutes, or all memory
ROW = {
    "name": "Ada",
    "age": 36,
    "tags": ["a", "b"],
    "address": {"city": "London"},
    "void": None,
    "exact": Decimal("0.1234567890123456789"),
    "big": BIG,
    "many": list(range(12_000)),
    "huge": "y" * 250_000,
}


def answer(snippet: dict[str, Any]) -> str | None:
    try:
        return Template.parse(snippet["template"]).render(snippet["values"])
    except DestinationError:
        return None


def failure(source: str, row: dict[str, Any] = ROW) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        Template.parse(source).render(row)
    return caught.value


@pytest.mark.parametrize("snippet", SAME, ids=lambda snippet: snippet["template"][:50])
def test_liquidjs_answers_the_same(snippet: dict[str, Any]) -> None:
    """A snippet renders what liquidjs 10.30.1 answered, in UTC and with its default options."""
    assert answer(snippet) == snippet["expected"]


@pytest.mark.parametrize("snippet", DIFFERENT, ids=lambda snippet: snippet["differs"][:50])
def test_known_differences_still_differ(snippet: dict[str, Any]) -> None:
    """A snippet listed as different from liquidjs 10.30.1 is still different."""
    assert answer(snippet) != snippet["expected"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ age }}", 36),
        ("{{tags}}", ["a", "b"]),
        ("{{ address.city }}", "London"),
        ("{{ exact }}", Decimal("0.1234567890123456789")),
        ("{{ age | divided_by: 8 }}", 4.5),
        ("{{ age | divided_by: 6.0 }}", 6),
        ("{{ tags | size }}", 2),
        ("{{ blank | concat: tags }}", ["a", "b"]),
        ("{{ empty | sort }}", []),
        ("{{ (1..3) }}", [1, 2, 3]),
        ("{{ nothing }}", None),
        ("{{ void }}", None),
        ("{{ void | default: 0 }}", 0),
        ("{{ age }} ", "36 "),
        ("{{ age }}{{ age }}", "3636"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_single_expression_keeps_its_type(source: str, expected: Any) -> None:
    """A template that is exactly one expression gives the value itself, any other gives text."""
    result = Template.parse(source).value(ROW)

    assert result == expected
    assert type(result) is type(expected)


def test_a_value_that_json_does_not_know_is_an_error() -> None:
    """A division by zero prints as in JavaScript, but is no value."""
    template = Template.parse("{{ age | divided_by: 0 }}")

    assert template.render(ROW) == "Infinity"
    with pytest.raises(TemplateError, match="not a finite number"):
        template.value(ROW)


def test_the_columns_are_the_names_it_reads() -> None:
    """Columns are the names from outside, not those that the template makes itself."""
    source = "{% assign x = a.b %}{{ x }}{% for i in list %}{{ i }}{{ c[d] }}{% endfor %}{{ 'e' }}"

    assert Template.parse(source).columns == {"a", "list", "c", "d"}


def test_templates_with_one_source_are_equal() -> None:
    """Templates are values: equal by source, and never changed."""
    assert Template.parse("{{ a }}") == Template.parse("{{ a }}") != Template.parse("{{ b }}")
    with pytest.raises(FrozenInstanceError):
        Template.parse("a").source = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("source", "line", "column", "problem"),
    [
        ("a\n  {% nope %}", 2, 6, "unexpected tag 'nope'"),
        ("{{ a | nope }}", 1, 8, "unknown filter 'nope'"),
        ("a\n{{ b", 2, 1, "'{{' without '}}'"),
        ("{% if a", 1, 1, "'{%' without '%}'"),
        ("{% include 'x' %}", 1, 4, "unexpected tag 'include'"),
        ("{% render 'x' %}", 1, 4, "unexpected tag 'render'"),
        ("{{ a" + "[" * 20_000 + " }}", 1, 1, "nested too deeply"),
        ("{{ " + " " * 100 + "}}", 1, 1, "too many blanks"),
        ("{{ " + "(" * 100 + "}}", 1, 1, "too many blanks or parentheses"),
        ("{% raw %}" * 200, 1, 1, "raw blocks"),
        ("é" * MAX_SOURCE, 1, 1, "larger than 64 kB"),
        ("a\nb\ud800", 2, 2, "half a surrogate pair"),
    ],
)
def test_a_fault_is_found_where_it_is(source: str, line: int, column: int, problem: str) -> None:
    """A template that does not parse is a ConfigError with line, column and a short message."""
    with pytest.raises(TemplateSyntaxError) as caught:
        Template.parse(source)

    assert isinstance(caught.value, ConfigError)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.message.startswith(f"line {line}, column {column}: ")
    assert problem in caught.value.message


def test_a_failure_names_its_line_and_no_value() -> None:
    """A template that fails on a row is a RowError that names line and cause."""
    error = failure("hi\n{% if true %}\n{{ name | base64_decode }}{% endif %}", {"name": "Zq8841"})

    assert isinstance(error, RowError)
    assert error.code is Code.TEMPLATE_ERROR
    assert error.reason == "TEMPLATE_ERROR: line 3: base64_decode cannot take these values"


BOMBS = {
    "{% for i in (1..1000000000) %}x{% endfor %}": "a range is longer than 10,000",
    "{% for i in (1..1000000000) reversed %}x{% endfor %}": "a range is longer",
    "{% for i in (1..1000000000) offset: 999999999 %}x{% endfor %}": "a range is longer",
    "{% if (1..1000000000) contains 'x' %}y{% endif %}": "a range is longer",
    "{{ (1..3000000) | join: ',' }}": "a range is longer",
    "{{ (1..3000) | join: ',' }}": "a range is longer than 1,000",
    "{% for i in (1..1000) %}{% for j in (1..100) %}{% endfor %}{% endfor %}": "10,000 loop",
    "{% for i in (1..9000) %}{% endfor %}" * 2: "10,000 loop",
    "{% for i in many %}{% endfor %}": "10,000 loop",
    "{{ big }}": "64 kB of text",
    "{% for i in (1..9000) %}0123456789{% endfor %}": "64 kB of text",
    "{% capture a %}{{ big }}{% endcapture %}": "64 kB of text",
    "{% for i in (1..5000) %}0123456789{% endfor %}{% capture a %}"
    "{% for i in (1..2000) %}0123456789{% endfor %}{% endcapture %}": "64 kB of text",
    "{{ huge }}": "larger than 100 kB",
    "{{ many }}": "larger than 100 kB",
    "{% assign a = big %}": "variables larger than 64 kB",
    "{% assign a = 'xxxxxxxx' %}" + "{% assign a = a | append: a %}" * 40: "larger than 100 kB",
    "{% assign a = 9999 %}" + "{% assign a = a | times: a %}" * 40: "a number is too long",
    "{{ big | replace: '', big | replace: '', big }}": "larger than 100 kB",
    "{{ big | replace: 'x', big }}": "larger than 100 kB",
    "{{ tags | concat: tags | concat: tags | join: big }}": "larger than 100 kB",
    "{{ big | append: 'x' }}": "larger than 100 kB",
    "{{ big | split: '' }}": "larger than 100 kB",
    "{{ big | url_encode | json | prepend: big }}": "larger than 100 kB",
    "{{ name | date: big }}{{ '2026-01-31' | date: big }}": "date format is too long",
    "{{ big | date: '%Y' }}": "64 kB of text",
    "{% for i in (1..9999) %}{% assign a = big | upcase | size %}{% endfor %}": "too much work",
    "{% for i in (1..9999) %}{% if big contains 'zz' %}{% endif %}{% endfor %}": "too much work",
    "{% for i in (1..9999) %}{% if many == many %}{% endif %}{% endfor %}": "too much work",
    "{% for i in (1..9999) %}" + "{% if 1 %}{% endif %}" * 1000 + "{% endfor %}": "too much work",
    "{% for i in (1..9999) %}{% cycle big, name %}{% endfor %}": "64 kB of text",
    "{% for i in (1..9999) %}{{ '2026-01-31' | date: '%A' }}{% endfor %}": "too much work",
}


@pytest.mark.parametrize("source", BOMBS, ids=lambda source: source[:60])
def test_a_bomb_fails_on_its_row_alone(source: str) -> None:
    """A template that asks for too much is stopped soon, and the cause is named."""
    started = time.process_time()
    error = failure(source)

    assert BOMBS[source] in error.message
    assert time.process_time() - started < PATIENCE


@pytest.mark.parametrize(
    "source",
    [
        "{% comment %}" + "{{" * 20_000 + "}}",
        "{% comment %}" + ("{{" + " " * 60 + "}}") * 900,
        "{% liquid echo 'a'" + " " * 50_000 + "\n%}",
        "{{ " + "(" * 49 + "1.." * 15_000 + " }}",
        "{% if " + " and ".join(["a"] * 9_000) + " %}{% endif %}",
        "{% if a %}" * 6_000,
        "{% liquid " + "liquid " * 9_000 + "%}",
        "{{ " + "9" * 60_000 + " }}",
    ],
    ids=lambda source: source[:30],
)
def test_no_source_keeps_the_parser_busy(source: str) -> None:
    """A source made to slow the parser down is refused soon."""
    started = time.process_time()
    with pytest.raises(TemplateSyntaxError):
        Template.parse(source)

    assert time.process_time() - started < PATIENCE


@pytest.mark.parametrize(
    "source",
    [
        "{{ name.__class__ }}",
        "{{ name.upper }}{{ tags.append }}{{ address.keys }}{{ age.real }}",
        "{{ tags['__class__'] }}{{ address['__init__'] }}",
        "{{ forloop.__class__ }}{{ tags | map: '__class__' }}",
        "{% for t in tags %}{{ forloop.__class__ }}{{ forloop.it }}{% endfor %}",
        "{{ now }}{{ today }}{{ self }}{{ context }}{{ env }}",
    ],
)
def test_nothing_but_the_values_can_be_reached(source: str) -> None:
    """Attributes, methods and Python's own names render empty."""
    assert Template.parse(source).render(ROW) == ""


def test_a_row_is_not_changed() -> None:
    """Variables of a template shadow columns and leave the row as it was."""
    row = {"name": "Ada", "tags": ["b", "a"]}
    source = "{% assign name = 'Bob' %}{{ name }}{{ tags | sort | join }}"

    assert Template.parse(source).render(row) == "Boba b"
    assert row == {"name": "Ada", "tags": ["b", "a"]}


def test_values_are_not_templates() -> None:
    """Liquid inside a value is text."""
    assert Template.parse("{{ name }}").render({"name": "{{ 1 | plus: 1 }}"}) == "{{ 1 | plus: 1 }}"


def test_line_ends_stay() -> None:
    """Line ends come out as they went in, captured or not."""
    source = "a\r\n{% capture c %}b\r\n{{ t }}{% endcapture %}{{ c }}"

    assert Template.parse(source).render({"t": "\r\n"}) == "a\r\nb\r\n\r\n"


def test_now_may_be_given() -> None:
    """The word now means the time that the caller gives."""
    template = Template.parse("{{ 'now' | date: '%Y-%m-%d %H:%M' }}")

    assert template.render({}, now=datetime(2026, 1, 31, 9, 5, tzinfo=UTC)) == "2026-01-31 09:05"


pieces = st.sampled_from(
    [
        *(f"{{{{ v | {name} }}}}" for name in FILTERS),
        *(f"{{{{ v | {name}: w, u }}}}" for name in FILTERS),
        *(f"{{% assign v = v | {name}: w %}}" for name in FILTERS),
        *(f"{{% if v {sign} w %}}y{{% endif %}}" for sign in ("<", ">=", "==", "contains")),
        "{% for i in v %}{{ i }}{{ forloop.index }}{% endfor %}",
        "{% for i in (v..w) reversed %}{{ i }}{% endfor %}",
        "{% tablerow i in v cols: w %}{{ i }}{% endtablerow %}",
        "{% case v %}{% when w %}a{% else %}b{% endcase %}",
        "{% cycle v, w %}",
        "{{ v[w] }}{{ w[v].first.size }}",
        "{% capture v %}{{ w }}{% endcapture %}",
        "{% increment v %}",
        "{% break %}",
        "{{ v",
        "{% if",
        "%}",
    ]
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.decimals()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(
    source=st.lists(pieces | st.text(max_size=20), max_size=8).map("".join),
    row=st.fixed_dictionaries({"v": values, "w": values, "u": values}),
)
def test_any_template_and_row_end_within_limits(source: str, row: dict[str, Any]) -> None:
    """Any template on any row gives text within the limits or one of the two errors."""
    result, value = "", None
    try:
        template = Template.parse(source)
        result, value = template.render(row), template.value(row)
    except (TemplateSyntaxError, TemplateError) as error:
        value = error.reason

    assert len(result.encode()) <= MAX_BYTES
    assert value is not row
