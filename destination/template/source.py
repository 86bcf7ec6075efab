"""What is found out about a template's source without parsing it."""

import re
from collections.abc import Iterator

from destination.template.faults import TemplateSyntaxError, fault_at

MAX_SOURCE = 64 * 1024
"""The most bytes of a template's source."""

_SURROGATE = re.compile("[\ud800-\udfff]")

# The lexer searches ahead from every blank and parenthesis of a statement, and from every
# opening of a raw block: in time that grows with the square of their number.
_STATEMENT = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)
_BLANKS = re.compile(r"\s{64}")
_MAX_PARENTHESES = 50
_RAW = re.compile(r"\{%-?\s*(?:raw|doc)\b")
_MAX_RAW = 100

_BLOCK = "Handlebars blocks are not known: write {% if name %} yes {% else %} no {% endif %}"
_LOOP = "Handlebars loops are not known: write {% for item in items %} {{ item }} {% endfor %}"
_PLAIN = (
    "Handlebars' marks are not known: write {{ name }}, which is never escaped as HTML, and "
    "a blank after a brace that stands for itself"
)
_HELPER = "Handlebars helpers are not known: a filter comes last, as in {{ name | upcase }}"
_COMMENT = "Handlebars comments are not known: write {% comment %} text {% endcomment %}"
_HANDLEBARS = (
    (re.compile(r"\{\{[~-]?\s*[#/]each\b"), _LOOP),
    (re.compile(r"\{\{[~-]?\s*(?:[#/^]|else\b)"), _BLOCK),
    (re.compile(r"\{\{[~-]?\s*!"), _COMMENT),
    (re.compile(r"\{\{(?:~|-?\s*[{&>@])"), _PLAIN),
    (re.compile(r"\{\{-?\s*[A-Za-z_][\w.-]*\s+[\w'\"]"), _HELPER),
)


def unreadable(source: str) -> Iterator[TemplateSyntaxError]:
    """Reasons not to give a source to the lexer, whose time may grow with its square."""
    if len(source) > MAX_SOURCE or len(source.encode("utf-8", "replace")) > MAX_SOURCE:
        yield TemplateSyntaxError(f"the template is larger than {MAX_SOURCE // 1024} kB")
    if found := _SURROGATE.search(source):
        yield fault_at(source, found.start(), "half a surrogate pair is no text")
    for opener, closer in (("{{", "}}"), ("{%", "%}")):
        last = source.rfind(opener)
        if last > source.rfind(closer):
            yield fault_at(source, last, f"'{opener}' without '{closer}'")
    for statement in _STATEMENT.finditer(source):
        if _BLANKS.search(statement[0]) or statement[0].count("(") > _MAX_PARENTHESES:
            yield fault_at(source, statement.start(), "too many blanks or parentheses")
    if len(_RAW.findall(source)) > _MAX_RAW:
        yield TemplateSyntaxError(f"more than {_MAX_RAW} raw blocks")


def handlebars(source: str, index: int) -> str | None:
    """How to say in Liquid what cannot be parsed at this place, if it looks like Handlebars."""
    start = source.rfind("{{", 0, index + 2)
    if start < 0 or "}}" in source[start:index]:
        return None
    while start and source[start - 1] == "{":
        start -= 1
    return next((hint for form, hint in _HANDLEBARS if form.match(source, start)), None)
