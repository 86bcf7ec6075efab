"""A template can be told to escape what it inserts, so that no value leaves its place."""

import pytest

from destination.template import JsonTemplate, Template, UrlTemplate


def bracketed(text: str) -> str:
    """An escape that shows where it was at work."""
    return f"[{text}]"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a {{ x }} b", "a [<x>] b"),
        ("{{ x | upcase }}{{ x | size }}", "[<X>][3]"),
        ("{{ n }}{{ nothing }}{{ list }}", "[7][][12]"),
        ("{% echo x %}{% cycle x, 'c' %}", "[<x>][<x>]"),
        ("{% for each in list %}{{ each }}{% endfor %}", "[1][2]"),
        ("{% if x == '<x>' %}yes{% endif %}", "yes"),
    ],
)
def test_every_inserted_value_is_escaped(source, text):
    """Whatever prints it; conditions and filters see the value itself."""
    values = {"x": "<x>", "n": 7, "list": [1, 2]}

    assert Template.parse(source).render(values, escape=bracketed) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [("{{ x | raw }}", "x"), ("{{ x | upcase | raw }}", "X"), ("{{ x | raw | upcase }}", "[X]")],
)
def test_raw_as_the_last_filter_inserts_as_it_is(source, text):
    """As in liquidjs: a filter after it makes another value."""
    assert Template.parse(source).render({"x": "x"}, escape=bracketed) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% capture y %}<{{ x }}>{% endcapture %}{{ y }}", "<[x]>"),
        ("{% capture y %}<{{ x }}>{% endcapture %}{% assign z = y %}{{ z }}", "<[x]>"),
        ("{% capture y %}{{ x }}{% endcapture %}{{ y | upcase }}", "[[X]]"),
        ("{% capture y %}<{{ x | raw }}>{% endcapture %}{{ y }}", "<x>"),
        (
            "{% capture y %}<{{ x }}>{% endcapture %}{% capture z %}{{ y }}{{ x }}{% endcapture %}"
            "{{ z }}{{ z | raw }}{{ z | append: '' }}",
            "<[x]>[x]<[x]>[x][<[x]>[x]]",
        ),
    ],
)
def test_captured_text_is_escaped_once(source, text):
    """Its values were escaped when it was put together; a filter makes it a value again."""
    assert Template.parse(source).render({"x": "x"}, escape=bracketed) == text


def test_without_an_escape_nothing_changes():
    """Neither ``raw`` nor a capture leaves a trace."""
    source = "{% capture y %}{{ x }}{% endcapture %}{{ y }}{{ x | raw }}"

    assert Template.parse(source).render({"x": "<"}) == "<<"
    assert type(Template.parse(source).render({"x": "<"}, escape=bracketed)) is str
    assert type(Template.parse("{{ x | raw }}").value({"x": "<"})) is str


@pytest.mark.parametrize("value", ['", "b": "', "/../?x=1#"])
def test_raw_does_not_let_a_value_out_of_json_or_a_url(value):
    """What must be written for its place to be valid is written so whatever the filter."""
    escaped = JsonTemplate.parse('{"a": "{{ x | raw }}", "b": {{ x | raw }}}')
    assert escaped.value({"x": value}) == {"a": value, "b": value}

    url = UrlTemplate.parse("/a/{{ x | raw }}/b?c={{ x | raw }}")
    assert url.render({"x": value}) == UrlTemplate.parse("/a/{{ x }}/b?c={{ x }}").render(
        {"x": value}
    )


def test_captures_of_json_are_written_for_where_they_are_printed():
    """Nothing is written for JSON inside a capture, so nothing is written for it twice."""
    source = """{% capture y %}"{{ x }}"{% endcapture %}{"a": "{{ y }}", "b": {{ y }}}"""

    assert JsonTemplate.parse(source).value({"x": '"'}) == {"a": '"""', "b": '"""'}
