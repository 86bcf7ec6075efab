"""A template can be told to escape what it inserts, so that no value leaves its place."""

import pytest

from destination.template import Template


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
    ],
)
def test_captured_text_is_escaped_once(source, text):
    """Its values were escaped when it was put together; a filter makes it a value again."""
    assert Template.parse(source).render({"x": "x"}, escape=bracketed) == text


def test_without_an_escape_nothing_changes():
    """Neither ``raw`` nor a capture leaves a trace."""
    source = "{% capture y %}{{ x }}{% endcapture %}{{ y }}{{ x | raw }}"

    assert Template.parse(source).render({"x": "<"}) == "<<"
    assert type(Template.parse("{{ x | raw }}").value({"x": "<"})) is str
