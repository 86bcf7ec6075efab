"""A JSON template gives JSON of one form, whatever the values are."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from destination.errors import Code, RowError
from destination.template import JsonTemplate, Template, TemplateError, TemplateSyntaxError

DATAFLY = (
    '{ "event_type": "{{event}}", "user": "{{user_id}}", '
    '"data": { "page": "{{context.page.url}}", "revenue": {{properties.total}} } }'
)
EVENT = {
    "event": "Order Completed",
    "user_id": 'u"1\\',
    "context": {"page": {"url": "https://shop.example/?q=é&r=\n"}},
    "properties": {"total": 12.5, "items": [{"id": 1}, {"id": 2}], "none": None},
    "big": 2**80,
    "exact": Decimal("0.1234567890123456789"),
    "yes": True,
}
NASTY = [
    "",
    '"',
    "\\",
    '\\"',
    '", "admin": true, "x": "',
    '"}]}',
    "\\u0022",
    "\n\r\t\x00\x1f\x7f\u2028",
    "{{ 1 }}{% if %}",
    "null",
    "1e5",
    "]",
    ",",
    "é☃😀",
    "NaN",
    "//",
]


def value(source: str, row: dict[str, Any] | None = None) -> Any:
    return JsonTemplate.parse(source).value(EVENT if row is None else row)


def failure(source: str, row: dict[str, Any] | None = None) -> str:
    with pytest.raises(TemplateError) as caught:
        value(source, row)
    assert isinstance(caught.value, RowError)
    assert caught.value.code is Code.TEMPLATE_ERROR
    return caught.value.message


def fault(source: str) -> str:
    with pytest.raises(TemplateSyntaxError) as caught:
        JsonTemplate.parse(source)
    return caught.value.message


@pytest.mark.parametrize("source", [DATAFLY, DATAFLY.replace("{{", "{{ ").replace("}}", " }}")])
def test_the_published_template_works_as_it_stands(source: str) -> None:
    """Datafly's own example gives escaped texts and a bare number."""
    assert value(source) == {
        "event_type": "Order Completed",
        "user": 'u"1\\',
        "data": {"page": "https://shop.example/?q=é&r=\n", "revenue": Decimal("12.5")},
    }


def test_what_is_missing_is_empty_in_quotes_and_null_outside() -> None:
    """A row without the names gives empty texts where quotes stand, and null elsewhere."""
    assert value(DATAFLY, {}) == {
        "event_type": "",
        "user": "",
        "data": {"page": "", "revenue": None},
    }


@pytest.mark.parametrize(
    "variable",
    [
        "event",
        "type",
        "user_id",
        "anonymous_id",
        "timestamp",
        "context.page.url",
        "context.page.title",
        "context.ip",
        "context.user_agent",
        "properties.any",
        "traits.any",
    ],
)
def test_every_published_variable_is_a_name(variable: str) -> None:
    """Each variable of Datafly's table can be read, quoted or not."""
    row: Any = 'a "b"'
    for name in reversed(variable.split(".")):
        row = {name: row}

    assert value(f'["{{{{{variable}}}}}", {{{{{variable}}}}}]', row) == ['a "b"', 'a "b"']


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ big }}", 2**80),
        ("{{ exact }}", Decimal("0.1234567890123456789")),
        ("[-0, 12345678901234567890123]", [0, 12345678901234567890123]),
        ("1.50", 1.5),
        ("1e-9", 1e-9),
        ("1.00000000000000000001", Decimal("1.00000000000000000001")),
        ("{{ yes }}", True),
        ("{{ properties.none }}", None),
        ("{{ properties.items }}", [{"id": 1}, {"id": 2}]),
        ("{{ (1..3) }}", [1, 2, 3]),
        ("{{ event | upcase }}", "ORDER COMPLETED"),
        ("{{ properties.total | times: 2 }}", 25),
        ("{{ nothing | default: 7 }}", 7),
        (
            '"{{ big }} {{ exact }} {{ yes }} {{ properties.none }}"',
            f"{2**80} {EVENT['exact']} true ",
        ),
        ('"{{ 1 | divided_by: 0 }}"', "Infinity"),
        ('{{ "a" }}', "a"),
        ('{"z": 1, "a": {{ big }}}', {"z": 1, "a": 2**80}),
        ('{"{{ event }}": 1}', {"Order Completed": 1}),
        ("{ {{ event }}: 1 }", {"Order Completed": 1}),
        ('"\\"{{ user_id }}\\\\{{ event }}\\u00e9"', '"u"1\\\\Order Completedé'),
        ('{"a":{{ big }}}', {"a": 2**80}),
    ],
)
def test_a_value_comes_out_for_its_place(source: str, expected: Any) -> None:
    """Outside quotes values keep type and digits, inside they are Liquid's text."""
    result = value(source)

    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "{{ properties | json }}",
            {"total": Decimal("12.5"), "items": [{"id": 1}, {"id": 2}], "none": None},
        ),
        ("{{ event | json }}", "Order Completed"),
        ("{% assign j = properties.items | json %}{{ j }}", [{"id": 1}, {"id": 2}]),
        ("{{ nothing | json }}", None),
        ("{{ properties.none | json }}", None),
        ('"{{ properties.items | json }}"', '[{"id":1},{"id":2}]'),
        ('"{{ nothing | json }}"', ""),
        ("{{ properties.items | json | upcase }}", '[{"ID":1},{"ID":2}]'),
        ('{{ "[1]" }}', "[1]"),
    ],
)
def test_what_the_json_filter_gave_is_json(source: str, expected: Any) -> None:
    """The filter's result stands for what it was made of, and no other text does."""
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{"a": {% if yes %}{{ big }}{% else %}0{% endif %}}', {"a": 2**80}),
        ('{"a"{% if nothing %}: 1{% else %}: "{{ user_id }}"{% endif %}}', {"a": 'u"1\\'}),
        (
            "[{% for i in properties.items %}{{ i.id }}{% unless forloop.last %}, {% endunless %}"
            "{% endfor %}]",
            [1, 2],
        ),
        ('{% case event %}{% when "Order Completed" %}[1]{% else %}[]{% endcase %}', [1]),
        ('{% assign x = user_id | append: \'"\' %}[{{ x }}, "{{ x }}"]', ['u"1\\"'] * 2),
        ('{% capture x %}"{{ user_id }}"{% endcapture %}[{{ x }}, "{{ x }}"]', ['"u"1\\"'] * 2),
        ('{% capture x %}"{{ user_id }}"{% endcapture %}{{ x | size }}', 6),
        ("[{% increment n %}, {% increment n %}, {% decrement n %}]", [0, 1, 1]),
        ('[{% cycle "a", "b" %}, {% cycle "a", "b" %}]', ["a", "b"]),
        ('{% comment %}"{% endcomment %}[1{% # " %}]', [1]),
        ('{% raw %}["}}", "{%"]{% endraw %}{% comment %}%}{% endcomment %}', ["}}", "{%"]),
        ('"\\{% # in between %}"{{ user_id }}"', '"u"1\\'),
        ('["{% echo user_id %}", {% liquid echo user_id %}]', ['u"1\\'] * 2),
        ('[ {{- big -}} , "  {{- event -}}  " ]', [2**80, "Order Completed"]),
    ],
)
def test_tags_work(source: str, expected: Any) -> None:
    """Tags do what they do in any template; only what reaches the text is escaped, once."""
    assert value(source) == expected


TEMPLATES = [
    '{"a": "{{ v }}", "b": [ {{ v }} , "x{{ v }}y{{ w }}"], "c": {"d": {{ w }} } }',
    '["{{v}}{{w}}", {{v}}, {"k": {{w}}}, "\\"{{v}}\\\\{{w}}"]',
    '{% if v == w %}{"a": {{ v }}}{% else %}{"a": "{{ w }}"}{% endif %}',
    '[{% for i in (1..2) %}"{{ v }}", {{ w }}, {% endfor %}null]',
    '{% capture x %}{{ v }}"{{ w }}{% endcapture %}["{{ x }}", {{ x }}, "{{ x | upcase }}"]',
    '{% assign x = v | append: w | json %}["{{ x }}", {{ x }}, {{ v | json }}]',
    '["{% cycle v, w %}", {% cycle v, w %}, "{% echo v %}"]',
    '["{{ v | replace: "a", w }}", "{{ v | json }}", "{{ w | escape | url_encode | inspect }}"]',
    '{"k-{{ v }}": 1, "l-{{ w }}": {{ v }} }',
    '["{{ v | slice: 0 }}", "{{ v | split: "" | join: w }}", {{ v | split: "" | first }}]',
    '["{{ v | truncate: 1, w }}", {{ v | raw }}, {{ w | default: v }}]',
]


def form(value: Any) -> Any:
    """A value with every leaf taken out, and names cut to their written part."""
    if isinstance(value, dict):
        return {name[:2]: form(inner) for name, inner in value.items()}
    return [form(inner) for inner in value] if isinstance(value, list) else "leaf"


texts = (
    st.sampled_from(NASTY) | st.text(st.sampled_from('"\\{}[],:u0n\n a'), max_size=8) | st.text()
)
scalars = (
    texts
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False).filter(lambda number: abs(number) != float("inf"))
)


@pytest.mark.parametrize("source", TEMPLATES)
@given(v=scalars, w=scalars)
@example(v='"', w="\\")
def test_no_value_changes_the_form(source: str, v: Any, w: Any) -> None:
    """Whatever stands in its places, the form is that of the template with harmless values."""
    template = JsonTemplate.parse(source)
    harmless = template.value({"v": "x", "w": "x" if v == w else "y"})

    assert form(template.value({"v": v, "w": w})) == form(harmless)


def exact(result: Any) -> Any:
    """The same with a decimal in place of each float, which prints no other digits."""
    return json.loads(json.dumps(result, default=float), parse_float=lambda text: Decimal(text))


@given(v=st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
def test_a_value_arrives_as_it_is(v: Any) -> None:
    """Any value of JSON comes out of an unquoted place as it went in."""
    expected = json.loads(json.dumps(v), parse_float=lambda text: Decimal(text))

    assert exact(value("[{{ v }}, {{ v | json }}]", {"v": v})) == [expected, expected]


@given(v=scalars, w=texts)
def test_a_quoted_template_gives_liquids_text(v: Any, w: Any) -> None:
    """Inside quotes a template gives the text that it gives on its own."""
    source = "a {{ v }}{% if w %} {{ w | append: v }}{% endif %}{{ w | json }}{% increment n %}"

    assert value(f'"{source}"', {"v": v, "w": w}) == Template.parse(source).render({"v": v, "w": w})


@pytest.mark.parametrize(
    ("source", "place", "problem"),
    [
        ("{'a': 1}", "line 1, column 2: ", "property name"),
        ('{"a": 1\n "b": {{ x }}}', "line 2, column 2: ", "delimiter"),
        ('{"a": "x\ny"}', "line 1, column 9: ", "control character"),
        ('{"a": {{ x }}', "line 1, column ", "delimiter"),
        ("[{{ a }}{{ b }}]", "line 1, column 9: ", "delimiter"),
        ("-{{ a }}", "line 1, column 1: ", "expecting value"),
        ("[1{{ a }}]", "line 1, column 3: ", "delimiter"),
        ('"\\{{ a }}"', "line 1, column 3: ", "a value cannot follow a backslash"),
        ('"\\u00{{ a }}"', "line 1, column 3: ", "escape"),
        ('{"a": 1, "a": {{ x }}}', "line 1, column 1: ", "one name twice"),
        ("[NaN]", "line 1, column 1: ", "none that JSON knows"),
        ('["\\ud800"]', "line 1, column 1: ", "surrogate"),
        ("", "line 1, column 1: ", "expecting value"),
        ("[" * 200 + "]" * 200, "line 1, column 1: ", "more than 128"),
        ("[" * 30_000, "line 1, column ", ""),
        ("{'a': {{ x }}, {% if y %}1{% endif %}}", "line 1, column 2: ", "property name"),
        ('{"a":\n  {% assign x = 1 %}  nil\n}', "line 2, column ", "expecting value"),
    ],
)
def test_what_can_never_be_json_is_found_at_once(source: str, place: str, problem: str) -> None:
    """A template that gives no JSON for any row does not parse; the message says where."""
    message = fault(source)

    assert message.startswith(place)
    assert problem in message


@pytest.mark.parametrize(
    ("source", "row", "place"),
    [
        ('{"a": 1,\n{% if v %}{{ v }}{% endif %}}', {"v": 88}, "line 2, column 11: "),
        ("[{% for i in v %}{{ i }},{% endfor %}]", {"v": ["Zq88"]}, "line 1, column "),
        ('{"a" {% if v %}: {{ v }}{% endif %}', {"v": "Zq88"}, "line 1, column 18: "),
        ("{ {{ v }}: 1 }", {"v": 88}, "line 1, column 3: "),
        ("{% if v %}{{ v }}{% endif %}{{ v }}", {"v": "Zq88"}, "line 1, column 29: "),
        ('{"Zq88": 1, "{{ v }}": 2}', {"v": "Zq88"}, "an object has one name twice"),
        ("[{{ v }} {% increment n %}]", {"v": "Zq88"}, "line 1, column 9: "),
        ("{{ v | divided_by: 0 }}", {"v": 88}, "line 1: the result is not a finite number"),
        ('["{{ v }}"]', {"v": "\ud800Zq88"}, "line 1: the template cannot take"),
        ("{{ v | times: v | times: v }}", {"v": 10**4000}, "line 1: a number is too long"),
        ('{% if v %}"\\{% endif %}{{ v }}', {"v": "Zq88"}, "line 1: a value cannot follow"),
    ],
)
def test_a_row_that_gives_no_json_is_told_where(source: str, row: Any, place: str) -> None:
    """The row is rejected with the place in the template, and without its values."""
    message = failure(source, row)

    assert message.startswith(place)
    assert "Zq88" not in message
    assert "88" not in message


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("{{#if a}}1{{else}}2{{/if}}", "{% if name %}"),
        ("{{#unless a}}1{{/unless}}", "{% if name %}"),
        ("[{{#each items}}{{this}}{{/each}}]", "{% for item in items %}"),
        ('{"a": {{{raw}}}}', "{{ name }}"),
        ('{"a":{{{raw}}}}', "a blank after a brace"),
        ('"{{upper name}}"', "{{ name | upcase }}"),
        ("{{!-- note --}}1", "{% comment %}"),
        ("{{> part}}", "{{ name }}"),
        ("{{&raw}}", "{{ name }}"),
        ("1{{else}}", "{% else %}"),
    ],
)
def test_handlebars_is_answered_in_liquid(source: str, hint: str) -> None:
    """What only Handlebars knows does not parse, and the message shows Liquid's way."""
    message = fault(source)

    assert "Handlebars" in message
    assert hint in message


def test_handlebars_in_raw_text_is_text() -> None:
    """A fault elsewhere is not blamed on what looks like Handlebars and is mere text."""
    assert "unexpected tag" in fault('"{% raw %}{{#if x}}{% endraw %}"{% nope %}')


@pytest.mark.parametrize(
    "source",
    [
        '"{{ v }}"',
        "{% for i in (1..9999) %}{% for j in (1..9999) %}{% endfor %}{% endfor %}1",
        "[{% for i in (1..9000) %}{{ i }},{{ i }}, {% endfor %}1]",
    ],
)
def test_the_allowance_holds(source: str) -> None:
    """A template that writes or does too much fails on its row, as any template does."""
    failure(source, {"v": '"' * 40_000})


def test_it_knows_its_columns() -> None:
    """The columns are those of the template."""
    template = JsonTemplate.parse(DATAFLY)

    assert template.columns == {"event", "user_id", "context", "properties"}
    assert template.source == DATAFLY
    assert template == JsonTemplate.parse(DATAFLY)


def test_the_result_encodes_with_its_digits_and_order() -> None:
    """What comes out is encoded once more without loss, as part of something larger."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    body = [value('{"z": {{ exact }}, "a": {{ big }}, "m": {{ properties.total }}}')]

    assert encoder.encode(body) == (
        b'[{"z":0.1234567890123456789,"a":1208925819614629174706176,"m":12.5}]'
    )
