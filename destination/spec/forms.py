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
from destination.sync import unknown

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
    if problems := [*_unfit(value)] or [*_wrong(value)]:
        raise ValueError("\n".join(problems))
    return value


def _unfit(schema: Mapping[str, Any]) -> Iterator[str]:
    """Why no form can be made of a schema."""
    if _holds(schema, "$ref"):
        yield "$ref is not followed: write what it stands for"
    for key in sorted(schema.keys() - _KEYS):
        yield f"{key}: a form has {', '.join(sorted(_KEYS))} only"
    if schema.get("type", "object") != "object":
        yield "must be the schema of an object"
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        yield "properties: must be a table of names and their schemas"
        return
    required = schema.get("required", ())
    for name in required if isinstance(required, list) else ():
        if str(name) not in properties:
            yield f"required: {unknown('Property', str(name), list(properties))}"
    for name, prop in properties.items():
        yield from (f"{name[:80]}: {problem}" for problem in _unfit_property(name, prop))


def _unfit_property(name: str, prop: Any) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield "a name starts with a small letter and has letters, digits and underscores only"
    if hasattr(BaseModel, name):
        yield "this name is taken"
    if not isinstance(prop, dict):
        yield "must be a JSON Schema"
        return
    kind = prop.get("type", "string")
    if not isinstance(kind, str) or kind not in _TYPES:
        yield f"its type must be one of {', '.join(_TYPES)}"
    elif prop.get("writeOnly") and kind != "string":
        yield "what is writeOnly is text"
    if any(_holds(inner, "writeOnly") for inner in prop.values()):
        yield "what is writeOnly stands by itself, not inside of another"


def _wrong(schema: Mapping[str, Any]) -> Iterator[str]:
    """Why a schema is none, or contradicts itself."""
    checker = jsonschema.Draft202012Validator
    try:
        checker.check_schema(schema, format_checker=checker.FORMAT_CHECKER)
    except jsonschema.SchemaError as error:
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        return
    for name, prop in schema.get("properties", {}).items():
        if "default" in prop and not checker(prop).is_valid(prop["default"]):
            yield f"{name}: its default is not one of its values"


def _holds(value: Any, key: str) -> bool:
    """Whether a key stands anywhere in a value of JSON."""
    if isinstance(value, dict):
        return key in value or any(_holds(inner, key) for inner in value.values())
    return isinstance(value, list) and any(_holds(inner, key) for inner in value)


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
