"""Filters on text. Values and arguments are printed first, so a missing name is empty text."""

import base64
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from destination.template.values import number, text, within

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
_ESCAPE = str.maketrans(_ENTITIES)
_LINE_END = re.compile(r"\r?\n")
_UNRESERVED = "!~*'()"  # what encodeURIComponent leaves as it is

_HTML = {"<script": "</script>", "<style": "</style>", "<!--": "-->", "<": ">"}


def _append(value: str, end: str) -> str:
    return value + end


def _prepend(value: str, start: str) -> str:
    return start + value


def _replace(value: str, old: str, new: str = "") -> str:
    within(len(value) + value.count(old) * len(new))
    return value.replace(old, new) if old else new.join(value)


def _replace_first(value: str, old: str, new: str = "") -> str:
    return value.replace(old, new, 1)


def _replace_last(value: str, old: str, new: str = "") -> str:
    before, found, after = value.rpartition(old) if old else (value, "yes", "")
    return before + new + after if found else value


def _remove(value: str, old: str) -> str:
    return value.replace(old, "")


def _split(value: str, separator: str = "") -> list[str]:
    parts = value.split(separator) if separator else list(value)
    while parts and not parts[-1]:
        parts.pop()
    return parts


def _squish(value: str) -> str:
    return " ".join(value.split())


def _newline_to_br(value: str) -> str:
    return _LINE_END.sub("<br />\n", value)


def _strip_newlines(value: str) -> str:
    return _LINE_END.sub("", value)


def _truncate(value: str, length: str = "50", end: str = "...") -> str:
    size = int(number(length))
    return value if len(value) <= size else value[: max(size - len(end), 0)] + end


def _truncate_words(value: str, length: str = "15", end: str = "...") -> str:
    words, count = value.split(), max(int(number(length)), 1)
    return " ".join(words[:count]) + (end if len(words) >= count else "")


def _escape(value: str) -> str:
    return value.translate(_ESCAPE)


def _escape_once(value: str) -> str:
    for character, entity in reversed(_ENTITIES.items()):  # &amp; last: it may make another
        value = value.replace(entity, character)
    return _escape(value)


def _strip_html(value: str) -> str:
    """No search that found nothing is repeated: the time grows with the text alone."""
    blocks, kept, position = dict(_HTML), [], 0
    while (start := value.find("<", position)) >= 0:
        kept.append(value[position:start])
        position = _tag_end(value, start, blocks)
        if position < 0:
            return "".join(kept) + value[start:]
    return "".join(kept) + value[position:]


def _tag_end(value: str, start: int, blocks: dict[str, str]) -> int:
    for opener, closer in tuple(blocks.items()):
        if value.startswith(opener, start):
            end = value.find(closer, start + len(opener))
            if end >= 0:
                return end + len(closer)
            del blocks[opener]
    return -1


def _url_encode(value: str) -> str:
    return urllib.parse.quote_plus(value, safe=_UNRESERVED)


def _cgi_escape(value: str) -> str:
    return urllib.parse.quote_plus(value)


def _base64_encode(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _base64_decode(value: str) -> str:
    return base64.b64decode(value).decode()


def _on_text(function: Callable[..., Any]) -> Callable[..., Any]:
    def written(*values: Any) -> Any:
        return function(*map(text, values))

    return written


_ON_TEXT: dict[str, Callable[..., Any]] = {
    "append": _append,
    "base64_decode": _base64_decode,
    "base64_encode": _base64_encode,
    "capitalize": str.capitalize,
    "cgi_escape": _cgi_escape,
    "downcase": str.lower,
    "escape": _escape,
    "escape_once": _escape_once,
    "lstrip": str.lstrip,
    "newline_to_br": _newline_to_br,
    "prepend": _prepend,
    "remove": _remove,
    "remove_first": _replace_first,
    "remove_last": _replace_last,
    "replace": _replace,
    "replace_first": _replace_first,
    "replace_last": _replace_last,
    "rstrip": str.rstrip,
    "split": _split,
    "squish": _squish,
    "strip": str.strip,
    "strip_html": _strip_html,
    "strip_newlines": _strip_newlines,
    "truncate": _truncate,
    "truncatewords": _truncate_words,
    "upcase": str.upper,
    "url_decode": urllib.parse.unquote_plus,
    "url_encode": _url_encode,
    "xml_escape": _escape,
}

TEXT_FILTERS = {name: _on_text(function) for name, function in _ON_TEXT.items()}
