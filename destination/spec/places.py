"""The places of a spec file in which templates stand, checked before there are values for them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.config import JsonDict

from destination.errors import ConfigError
from destination.problems import told
from destination.strict import Address, Strict
from destination.sync import unknown
from destination.template import Template
from destination.vendor.access import Auth, Signing


class Access(Strict):
    """Where the vendor is and how to be let in, with the settings in their places."""

    base_url: Address
    auth: Auth
    signing: Signing | None = None


def schemes(model: Any) -> JsonDict:
    """What the JSON Schema of a way to be let in says before there are settings: its schemes."""
    names = TypeAdapter(model).json_schema()["discriminator"]["mapping"]
    return {"properties": {"scheme": {"enum": sorted(names)}}, "required": ["scheme"]}


def templates(value: Any) -> Iterator[Template]:
    """The templates in a value of JSON. Raises ConfigError for one that does not parse."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from templates(inner)
    elif isinstance(value, str) and _is_template(value):
        yield Template.parse(value)


def of_settings(where: str, value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with templates that see settings only."""
    try:
        parsed = list(templates(value))
    except ConfigError as error:
        yield f"{where}: {error.message}"
        return
    for template in parsed:
        for name in sorted(template.columns - {"settings"}):
            yield f"{where}: names {name}, but only settings are known there"
    yield from unknown_members(where, value, {"settings": schema})


def unknown_members(
    where: str, value: Any, forms: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Members that templates read of ``settings`` or ``options``, and that there are none of."""
    for template in templates(value):
        for form, schema in forms.items():
            known = schema.get("properties", {})
            for name in sorted(template.members(form) - known.keys()):
                yield f"{where}: {unknown(form.capitalize()[:-1], name, list(known))}"


def unfit(base_url: str, auth: Any, signing: Any) -> Iterator[str]:
    """What is wrong with these, as far as it shows before there are settings."""
    parts = {"base_url": base_url, "auth": auth, "signing": signing}
    try:
        Access.model_validate(parts)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            if not _is_template(_at(parts, detail["loc"])):
                yield from told(detail, Access)


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _at(value: Any, path: Sequence[Any]) -> Any:
    """What stands at a place that an error names; the scheme is in it too."""
    for part in path:
        if isinstance(value, dict) and part == value.get("scheme") and part not in value:
            continue
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value
