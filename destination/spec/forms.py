"""From a JSON Schema in a spec file to the model of a destination's settings or options."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

import jsonschema
from jsonschema.protocols import Validator
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    create_model,
    model_validator,
)

from destination.strict import SecretLine, Strict

_NAME = re.compile(r"[a-z][A-Za-z0-9_]*")
_TYPES: Mapping[Any, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
}
_KEYS = frozenset({"type", "properties", "required", "title", "description", "$comment"})


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON Schema of an object whose properties have names that a setting can have."""
    try:
        jsonschema.Draft202012Validator.check_schema(value)
    except jsonschema.SchemaError as error:
        place = "/".join(map(str, error.absolute_path))
        raise ValueError(f"is no JSON Schema: {place}: {error.message[:200]}") from None
    for problem in _unfit(value):
        raise ValueError(problem)
    return value


def _unfit(schema: Mapping[str, Any]) -> Iterator[str]:
    """Why no form can be made of a schema."""
    if _refers(schema):
        yield "$ref is not followed: write what it stands for"
    for key in schema.keys() - _KEYS:
        yield f"{key}: a form has {', '.join(sorted(_KEYS))} only"
    if schema.get("type", "object") != "object":
        yield "must be the schema of an object"
    properties = schema.get("properties", {})
    yield from (
        f"required: there is no property {name[:80]}"
        for name in schema.get("required", ())
        if name not in properties
    )
    for name, prop in properties.items():
        if not _NAME.fullmatch(name) or hasattr(BaseModel, name):
            yield f"{name[:80]}: a name has letters, digits and underscores"
        if not isinstance(prop, dict) or prop.get("type", "string") not in _TYPES:
            yield f"{name}: its type must be one of {', '.join(_TYPES)}"


def _refers(value: Any) -> bool:
    if isinstance(value, dict):
        return "$ref" in value or any(map(_refers, value.values()))
    return isinstance(value, list) and any(map(_refers, value))


FormSchema = Annotated[dict[str, Any], AfterValidator(_schema)]
"""A JSON Schema as a form needs it: an object with properties."""


class _Form(Strict):
    """Values that satisfy the schema of their class."""

    validator: ClassVar[Validator]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        problems = [
            f"{'.'.join(map(str, error.absolute_path))}: "
            f"does not satisfy {error.validator}: {error.validator_value}"
            for error in self.validator.iter_errors(plain(self))
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def model_of(name: str, schema: Mapping[str, Any]) -> type[BaseModel]:
    """
    A model whose values satisfy the schema, and whose own JSON Schema it is.

    A text with ``"writeOnly": true`` is a secret: it is hidden wherever the model is shown.
    """
    required = schema.get("required", ())
    fields: dict[str, Any] = {}
    for key, prop in schema.get("properties", {}).items():
        default = ... if key in required else prop.get("default")
        fields[key] = (_annotation(prop), Field(default, json_schema_extra=_said(prop)))
    model = create_model(name, __base__=_Form, **fields)
    model.validator = jsonschema.Draft202012Validator(dict(schema))
    return model


def plain(model: BaseModel) -> dict[str, Any]:
    """The values as templates see them: secrets in clear, what was not given left out."""
    values = {name: getattr(model, name) for name in type(model).model_fields}
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in values.items()
        if value is not None
    }


def _annotation(prop: Mapping[str, Any]) -> Any:
    kind = prop.get("type", "string")
    if kind == "string" and prop.get("writeOnly"):
        return SecretLine | None
    if kind == "boolean":
        return bool | None
    return Annotated[_TYPES[kind] | None, BeforeValidator(_not_bool)]


def _not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must not be true or false")
    return value


def _said(prop: Mapping[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Puts what the file says of a property in the place of what pydantic would say."""

    def say(said: dict[str, Any]) -> None:
        said.clear()
        said.update({"type": "string", **prop})

    return say
