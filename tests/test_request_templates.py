"""A value in a URL, a header or a form stays in its place."""

import urllib.parse
from typing import Any

import httpx
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from destination.errors import Code, ConfigError
from destination.template import (
    FormTemplate,
    HeaderTemplate,
    TemplateError,
    TemplateSyntaxError,
    UrlTemplate,
)

NASTY = "../a?b#c@d/e%2f&g=h;i\r\nü\x00:\\ +"


def url(source: str, **row: Any) -> str:
    return UrlTemplate.parse(source).render(row)


def header(source: str, **row: Any) -> str:
    return HeaderTemplate.parse("X-User", source).render(row)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://h.example/u/{{ a }}?q={{ b }}", "https://h.example/u/x%20y?q=1.5"),
        ("https://h.example?q={{ nope }}", "https://h.example?q="),
        ("HTTP://[::1]:8080/{{a}}-{{b}}", "HTTP://[::1]:8080/x%20y-1.5"),
        ("/u/{{ a | upcase }}", "/u/X%20Y"),
        ("{{ a }}/b:c", "x%20y/b:c"),
        ("  /u/{{ b }}\n", "/u/1.5"),
        ("/u{% if a %}/{{ b }}{% endif %}?t={{ t }}", "/u/1.5?t=true"),
        ("/u{% for x in l %}/{{ x }}{% endfor %}", "/u/1/2"),
        ("/{% assign x = a | append: '/' %}{{ x }}", "/x%20y%2F"),
        ("/a%20b/~(c);d=1", "/a%20b/~(c);d=1"),
        ("/{{ d }}", "/..."),
        ("https://h.example", "https://h.example"),
    ],
)
def test_a_url_is_filled_in(source: str, expected: str) -> None:
    """Values are percent-encoded, and what is written out stays as it is."""
    assert url(source, a="x y", b=1.5, t=True, l=[1, 2], d="...") == expected


@given(value=st.text(min_size=1))
@example(value=NASTY)
@example(value="%2e%2e")
def test_a_value_of_the_path_stays_one_segment(value: str) -> None:
    """Whatever a value is, host, other segments and query stay, and it can be read back."""
    assume(value not in (".", ".."))
    parsed = httpx.URL(url("https://h.example/v1/{{ v }}/x?q={{ v }}&r=1", v=value))
    segments = parsed.raw_path.decode().partition("?")[0].split("/")
    names = urllib.parse.parse_qsl(parsed.query.decode(), keep_blank_values=True)

    assert parsed.host == "h.example"
    assert parsed.fragment == ""
    assert [urllib.parse.unquote(segment) for segment in segments] == ["", "v1", value, "x"]
    assert names == [("q", value), ("r", "1")]


@given(value=st.text(min_size=1))
@example(value="https://evil.example/")
@example(value="//evil.example")
def test_a_path_never_names_another_host(value: str) -> None:
    """A path that begins with a value is still a path."""
    assume(value not in (".", ".."))

    assert httpx.URL("https://h.example/").join(url("{{ v }}/x", v=value)).host == "h.example"


@pytest.mark.parametrize("value", ["", None, [], ".", ".."])
def test_a_row_that_would_name_something_else_is_rejected(value: Any) -> None:
    """An empty value in the path, or one that means a folder, rejects the row."""
    with pytest.raises(TemplateError) as caught:
        url("https://h.example/users/{{ v }}", v=value)

    assert caught.value.code is Code.TEMPLATE_ERROR
    assert caught.value.message.startswith("line 1")


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ("/users/{{ nope }}/x", {}),
        ("/users/u-{{ nope }}", {}),
        ("/{{ a }}{{ a }}/x", {"a": "."}),
        ("/.{{ a }}/x", {"a": "."}),
        ("/%2e{{ a }}/x", {"a": "."}),
        ("https://h.example/{{ a }}?b", {"a": ".."}),
        ("/{% if a %}a b{% endif %}", {"a": 1}),
        ("{% if a %}https:{% endif %}//evil.example", {"a": 1}),
        ("{% if a %}https://evil.example/{% endif %}", {"a": 1}),
        ("{% if a %}/{% endif %}/evil.example", {"a": 1}),
        ("/x{% tablerow i in a %}{{ i }}{% endtablerow %}", {"a": [1]}),
        ("/{% for i in (1..9999) %}{{ a }}{% endfor %}", {"a": "x" * 100}),
    ],
)
def test_no_choice_makes_a_url_of_another_form(source: str, row: dict[str, Any]) -> None:
    """What only a row brings about is found on that row."""
    with pytest.raises(TemplateError):
        url(source, **row)


@pytest.mark.parametrize(
    ("source", "column", "problem"),
    [
        ("https://{{ host }}/x", 1, "scheme and host"),
        ("https://h.example{{ path }}", 18, "scheme and host"),
        ("https://h.example{% if a %}/x{% endif %}", 18, "scheme and host"),
        ("https://h.example.{{ tld }}/", 19, "scheme and host"),
        ("https://user:secret@h.example/", 13, "scheme and host"),
        ("https://h.example@evil.example/", 18, "scheme and host"),
        ("{{ scheme }}://h.example/", 1, "scheme and host"),
        ("//h.example/{{ a }}", 1, "scheme and host"),
        ("ftp://h.example/{{ a }}", 1, "scheme and host"),
        ("/a b", 3, "no URL"),
        ("/a#{{ b }}", 3, "no URL"),
        ("/%zz", 2, "no URL"),
        ("/ü", 2, "no URL"),
        ("/a\\b", 3, "no URL"),
        ("/a/../{{ b }}", 3, "segment"),
        ("https://h.example/%2E./b", 18, "segment"),
        ("/{{ a | url_encode }}", 9, "leave out 'url_encode'"),
        ("/{% if a %}{{ a | cgi_escape }}{% endif %}", 19, "leave out 'cgi_escape'"),
        ("/{{ a", 2, "without"),
    ],
)
def test_what_gives_no_url_is_found_at_once(source: str, column: int, problem: str) -> None:
    """A template that gives no URL, or leaves the host open, does not parse."""
    with pytest.raises(TemplateSyntaxError) as caught:
        UrlTemplate.parse(source)

    assert problem in caught.value.message
    assert (caught.value.line, caught.value.column) == (1, column)


def test_a_header_is_filled_in() -> None:
    """A header is one line; blanks at its ends mean nothing."""
    assert header(" user {{ a }}; {{ b }} \n", a="Zoe", b=1.5) == "user Zoe; 1.5"
    assert header("{{ a | url_encode }}", a="Zoë") == "Zo%C3%AB"
    assert header("{{ nope }}") == ""
    assert header("{{ a }}", a=" \tx\t ") == "x"


@pytest.mark.parametrize(
    "value", ["a\r\nSet-Cookie: b", "a\n", "\r", "a\x00", "\x1b", "\x7f", "☃", "ë"]
)
def test_a_value_that_no_header_can_hold_rejects_the_row(value: str) -> None:
    """Line ends, other control characters and what is not ASCII reject the row."""
    with pytest.raises(TemplateError) as caught:
        header("a\t{{ v }}", v=value)

    assert caught.value.message == (
        "header X-User: line 1, column 3: a character that no header may hold; "
        "the filter url_encode makes ASCII of any text"
    )


@given(value=st.text())
def test_a_header_is_always_one_line(value: str) -> None:
    """Whatever the value is, a header is one line of ASCII, or the row is rejected."""
    try:
        line = header("a {{ v }}", v=value)
    except TemplateError:
        return

    assert line == f"a {value}".strip(" \t")
    assert not set(line.encode("ascii")) & {0, 10, 13}


@pytest.mark.parametrize("source", ["a\nb", "☃{{ a }}", "{{ a", "a\n{% if b %}{% endif %}"])
def test_what_gives_no_header_is_found_at_once(source: str) -> None:
    """A template that gives no header does not parse; the message names the header."""
    with pytest.raises(TemplateSyntaxError, match=r"^header X-User: line 1, column \d+: "):
        HeaderTemplate.parse("X-User", source)


@pytest.mark.parametrize("name", ["", "X User", "X:", "X\r\nY", "é"])
def test_a_name_that_no_header_has_is_refused(name: str) -> None:
    """A header's name is a token."""
    with pytest.raises(ConfigError):
        HeaderTemplate.parse(name, "x")


def test_a_failing_header_is_named() -> None:
    """A template that fails on a row is told with the header's name."""
    with pytest.raises(TemplateError, match=r"^header X-User: line 1: base64_decode cannot"):
        header("{{ v | base64_decode }}", v="☃")


FORM = {"a&": "{{ v }}", "b": "x{{ w }}", "c": "{{ w }}", "d": ["1", "{{ n }}"], "e": 5, "f": None}


def test_a_form_is_filled_in() -> None:
    """Pairs keep their order; a list gives several, what is missing none, null an empty one."""
    form = FormTemplate.parse(FORM)

    assert form.pairs({"v": [True, 1.0, "x"], "n": None}) == [
        ("a&", "true"),
        ("a&", "1"),
        ("a&", "x"),
        ("b", "x"),
        ("d", "1"),
        ("d", ""),
        ("e", "5"),
        ("f", ""),
    ]
    assert form.columns == {"v", "w", "n"}


@given(v=st.text(), w=st.text(min_size=1))
@example(v=NASTY, w=NASTY)
def test_a_form_is_encoded_once(v: str, w: str) -> None:
    """What a receiver reads is what was put in, whatever it holds."""
    form = FormTemplate.parse({"a&": "{{ v }}", "b": "x{{ w }}"})
    read = urllib.parse.parse_qsl(form.encoded({"v": v, "w": w}), keep_blank_values=True)

    assert read == form.pairs({"v": v, "w": w}) == [("a&", v), ("b", f"x{w}")]


@pytest.mark.parametrize("value", [{"x": 1}, [[1]], [{}], 1 << 20_000, "\ud800"], ids=range(5))
def test_a_value_that_no_form_can_hold_rejects_the_row(value: Any) -> None:
    """An object, a list of lists and what cannot be written reject the row."""
    with pytest.raises(TemplateError, match=r"^/c: "):
        FormTemplate.parse({"c": "{{ w }}"}).encoded({"w": value})


def test_a_form_does_not_encode_twice() -> None:
    """A filter that encodes is refused, with its place."""
    with pytest.raises(TemplateSyntaxError, match=r"^/a: line 1, column 8: leave out 'url_encode'"):
        FormTemplate.parse({"a": "{{ b | url_encode }}"})
    with pytest.raises(TemplateSyntaxError, match=r"^/a: line 1, column 1: "):
        FormTemplate.parse({"a": "{{ b"})


def test_urls_and_headers_know_their_columns() -> None:
    """The columns are those of the template."""
    assert UrlTemplate.parse("/{{ a }}?b={{ b.c }}").columns == {"a", "b"}
    assert HeaderTemplate.parse("X", "{{ a }}").columns == {"a"}
