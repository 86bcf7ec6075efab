"""What a server lists for the form of a sync, read whatever it answers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from destination.cli import FAILED, UNREACHABLE, Stop
from destination.cli.caller import CallError, Unreachable
from destination.cli.sync.answers import Problems
from destination.cli.text import shown

Ask = Callable[[str, Mapping[str, Any]], Any]
"""Makes one call; raises CallError and Unreachable."""

NO_SUCH_METHOD = -32601
"""Methods of the form need not be there."""

MOST_ERRORS = 50
"""Sentences of validate that are shown."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An object or a mode."""

    id: str
    label: str
    description: str


@dataclass(frozen=True, slots=True)
class Field:
    """What a column can be mapped to."""

    id: str
    label: str
    type: str
    required: bool
    identifier: bool


class Listing:
    """
    The form's methods, asked one after the other as choices are made.

    Every method raises Stop when the server cannot be reached or answers with an error; one
    that is not there lists nothing. What else is wrong becomes one of the problems.
    """

    def __init__(self, ask: Ask, problems: Problems) -> None:
        self._ask = ask
        self._problems = problems

    def objects(self) -> list[Choice]:
        """The objects, none when there is nothing to choose between."""
        return [_choice(each) for each in self._listed("list_objects", {})]

    def modes(self, object: str | None) -> list[Choice]:
        """The modes of an object."""
        return [_choice(each) for each in self._listed("list_modes", chosen(object))]

    def fields(self, object: str | None, mode: str | None) -> list[Field]:
        """The fields of an object in a mode."""
        return [
            Field(
                str(each["id"]),
                shown(each.get("label") or each["id"], 80),
                shown(each.get("type") or "", 20),
                each.get("required") is True,
                each.get("identifier") is True,
            )
            for each in self._listed("list_fields", chosen(object, mode))
        ]

    def options(self, object: str | None, mode: str | None) -> Mapping[str, Any]:
        """The JSON Schema of the options, empty when there are none."""
        options = self._of("list_options", chosen(object, mode), "options")
        schema = options.get("schema") if isinstance(options, dict) else None
        return schema if isinstance(schema, dict) else {}

    def validate(self, configuration: Mapping[str, Any]) -> list[str]:
        """What the server has against a configuration."""
        errors = self._of("validate", {"configuration": configuration}, "errors")
        if isinstance(errors, list):
            return [shown(each) for each in errors[:MOST_ERRORS]]
        return [] if errors is None else [shown(errors)]

    def _listed(self, method: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        name = method.removeprefix("list_")
        listed = self._of(method, params, name)
        if listed is not None and not isinstance(listed, list):
            self._problems[f"{method} answers {name} that are no list"] += 1
        for each in listed if isinstance(listed, list) else ():
            id = each.get("id") if isinstance(each, dict) else None
            if isinstance(id, str) and id.isprintable():
                yield each
            else:
                self._problems[f"{method} lists something without an id that can be shown"] += 1

    def _of(self, method: str, params: Mapping[str, Any], name: str) -> Any:
        """A member of the result; null means the same as a method that is not there."""
        result = asked(self._ask, method, params)
        if isinstance(result, dict) and name in result:
            return result[name]
        if result is not None:
            self._problems[f"{method} answers without {name}"] += 1
        return None


def asked(ask: Ask, method: str, params: Mapping[str, Any]) -> Any:
    """The result, None where there is no such method. Raises Stop."""
    try:
        return ask(method, params)
    except CallError as error:
        if error.code == NO_SUCH_METHOD:
            return None
        raise Stop(
            f"The server failed at {method}.",
            str(error),
            "Its log may say more. destination call makes single calls.",
            FAILED,
        ) from None
    except Unreachable as error:
        raise Stop(f"{method} failed.", str(error), error.advice, UNREACHABLE) from None


def chosen(object: str | None, mode: str | None = None) -> dict[str, str]:
    """The choices as params: what was not chosen is absent."""
    pairs = {"object": object, "mode": mode}
    return {name: value for name, value in pairs.items() if value is not None}


def _choice(each: Mapping[str, Any]) -> Choice:
    return Choice(
        str(each["id"]), shown(each.get("label") or "", 80), shown(each.get("description") or "")
    )
