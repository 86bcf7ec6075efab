"""How an option of each JSON type is typed on a terminal, and shown there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from destination.cli.text import shown


class Kind(Protocol):
    """A kind of option."""

    @property
    def expected(self) -> str:
        """What to type."""

    def read(self, typed: str) -> Any:
        """The value that was typed. Raises ValueError."""

    def write(self, value: Any) -> str:
        """What would have to be typed for the value. Raises ValueError when nothing does."""


@dataclass(frozen=True)
class Choices:
    """One of several values, by its number or as it is written."""

    values: Sequence[Any]
    names: Sequence[str]

    @property
    def expected(self) -> str:
        """What to type."""
        return f"Type a number from 1 to {len(self.values)}."

    def read(self, typed: str) -> Any:
        """The value with this number, or else with this text."""
        if typed.isascii() and typed.isdigit() and 0 < int(typed) <= len(self.values):
            return self.values[int(typed) - 1]
        return self.values[[str(each) for each in self.values].index(typed)]

    def write(self, value: Any) -> str:
        """Its number."""
        return str(self.values.index(value) + 1)


@dataclass(frozen=True)
class Several:
    """A list, its elements between commas; JSON is taken too."""

    each: Kind

    @property
    def expected(self) -> str:
        """What to type."""
        return f"{self.each.expected} Several stand between commas."

    def read(self, typed: str) -> Any:
        """The list."""
        if typed.startswith("["):
            return _json(typed, list)
        return [self.each.read(part.strip()) for part in typed.split(",") if part.strip()]

    def write(self, value: Any) -> str:
        """The elements, or JSON where one has a comma."""
        parts = [self.each.write(one) for one in value if isinstance(value, list)]
        return (
            ", ".join(parts) if not any("," in part for part in parts) else Json(list).write(value)
        )


@dataclass(frozen=True)
class Text:
    """Text, as it stands."""

    expected: str = "Type a text."

    def read(self, typed: str) -> Any:
        """The text."""
        return typed

    def write(self, value: Any) -> str:
        """The text."""
        if not isinstance(value, str):
            raise ValueError
        return value


@dataclass(frozen=True)
class YesOrNo:
    """True or false."""

    expected: str = "Type yes or no."

    def read(self, typed: str) -> Any:
        """What was answered."""
        word = typed.lower()
        if word not in _WORDS:
            raise ValueError
        return _WORDS[word]

    def write(self, value: Any) -> str:
        """Yes or no."""
        return "yes" if value else "no"


_WORDS = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}


@dataclass(frozen=True)
class Json:
    """Whatever else there is, as JSON."""

    type: type | tuple[type, ...] = object
    expected: str = "Type the value as JSON."

    def read(self, typed: str) -> Any:
        """The decoded value."""
        return _json(typed, self.type)

    def write(self, value: Any) -> str:
        """The value as JSON."""
        return msgspec.json.encode(value).decode()


def _json(typed: str, expected: type | tuple[type, ...]) -> Any:
    try:
        value = msgspec.json.decode(typed)
    except RecursionError:
        raise ValueError from None
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not object):
        raise ValueError
    return value


def kind_of(described: Mapping[str, Any]) -> Kind:
    """The kind of an option, by its JSON Schema."""
    if choices := _choices(described):
        return choices
    type, items = _type(described), described.get("items")
    if (
        type == "array"
        and isinstance(items, dict)
        and (_choices(items) or _type(items) == "string")
    ):
        return Several(kind_of(items))
    return _KINDS.get(type if isinstance(type, str) else "", Json())


_KINDS: Mapping[str, Kind] = {
    "": Text(),
    "string": Text(),
    "boolean": YesOrNo(),
    "integer": Json(int, "Type a whole number."),
    "number": Json((int, float), "Type a number."),
    "array": Json(list),
    "object": Json(dict),
}


def _type(described: Mapping[str, Any]) -> Any:
    """The type, without the null that a form has no way to type."""
    type = described.get("type")
    if isinstance(type, list):
        type = next((each for each in type if each != "null"), None)
    return type


def _choices(described: Mapping[str, Any]) -> Choices | None:
    values, names = described.get("enum"), described.get("enumNames")
    if not isinstance(values, list):
        variants = described.get("oneOf")
        if not isinstance(variants, list) or not all(_constant(each) for each in variants):
            return None
        values = [each["const"] for each in variants]
        names = [each.get("title", each["const"]) for each in variants]
    if not isinstance(names, list) or len(names) != len(values):
        names = values
    return Choices(values, [shown(name, 120) for name in names]) if values else None


def _constant(variant: Any) -> bool:
    return isinstance(variant, dict) and "const" in variant
