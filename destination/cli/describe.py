"""``destination list`` and ``destination describe``."""

import asyncio
import inspect
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from destination import registry
from destination.cli import CONFIGURATION, config_option, fail, json_option, table
from destination.errors import ConfigError
from destination.model import Object
from destination.plugin import Destination
from destination.settings import load
from destination.spec import document
from destination.spec import kinds as spec
from destination.spec.files import SUFFIXES, file_schema
from destination.spec.request import Request
from destination.strict import shapes
from destination.tuning import Tuning


@click.command("list")
@config_option
@json_option
def list_command(config: str | None, *, as_json: bool) -> None:
    """Show the kinds of destination there are, and the destinations that are configured."""
    try:
        settings = load(Path(config) if config else None)
    except ConfigError as error:
        fail(
            "The configuration cannot be read.",
            error.message,
            "Mend it, then ask again.",
            CONFIGURATION,
        )
    kinds = [_summary(kind) for kind in registry.kinds()]
    configured = [
        {"name": name, "kind": values.get("kind")} for name, values in settings.destinations.items()
    ]
    if as_json:
        click.echo(json.dumps({"kinds": kinds, "destinations": configured}, indent=2))
        return
    table("Kinds", ["kind", "what it does"], [[each["kind"], each["summary"]] for each in kinds])
    if configured:
        table(
            "Destinations", ["name", "kind"], [[each["name"], each["kind"]] for each in configured]
        )


def _summary(kind: str) -> dict[str, str]:
    try:
        summary = (registry.load(kind).__doc__ or "").strip().partition("\n")[0]
    except ConfigError as error:
        summary = error.message
    return {"kind": kind, "summary": summary}


@click.command("describe")
@click.argument("kind")
@json_option
def describe_command(kind: str, *, as_json: bool) -> None:
    """
    Show what a KIND can be told: settings, options, objects, modes, fields, limits.

    A KIND may be a spec file. "spec" itself is the form of such a file; with --json its JSON
    Schema, by which editors complete it.
    """
    if kind == registry.SPEC:
        _show_format(as_json=as_json)
        return
    is_file = kind.lower().endswith(SUFFIXES)
    try:
        described = _description(spec.load(Path(kind)) if is_file else registry.load(kind))
    except ConfigError as error:
        fail(
            f'There is no description of "{kind}".',
            error.message,
            "See all kinds with: destination list",
            CONFIGURATION,
        )
    if as_json:
        click.echo(json.dumps(described, indent=2, default=str))
    else:
        _show(described)


def _show_format(*, as_json: bool) -> None:
    """The form of a spec file."""
    if as_json:
        click.echo(json.dumps(file_schema(), indent=2))
        return
    click.secho(f"A spec file, in {', '.join(SUFFIXES)}", bold=True)
    click.echo(f"{inspect.getdoc(document)}\n")
    for title, model in (("The file", document.Document), ("A request", Request)):
        rows = [
            [each["name"], each["type"], _needed(each), each["description"]]
            for each in _parameters(model)
        ]
        table(title, ["key", "type", "default", "what it is"], rows)


def _description(plugin: type[Destination[Any, Any]]) -> dict[str, Any]:
    objects = _objects(plugin)
    return {
        "kind": plugin.kind,
        "label": plugin.label,
        "description": (plugin.__doc__ or "").strip(),
        "settings": _parameters(plugin.settings_model),
        "common_settings": _parameters(Tuning),
        "options": _parameters(plugin.options_model),
        "objects": [asdict(each) for each in objects],
        "limits": asdict(plugin.limits),
    }


def _objects(plugin: type[Destination[Any, Any]]) -> Iterable[Object]:
    """The declared objects, or those a destination of this kind has without a vendor to ask."""
    if plugin.objects and plugin.objects[0].modes:
        return plugin.objects
    unset = plugin(plugin.settings_model.model_construct())
    return asyncio.run(_discovered(unset))


async def _discovered(plugin: Destination[Any, Any]) -> Iterable[Object]:
    try:
        return await plugin.discover()
    except Exception:  # noqa: BLE001 - only the vendor knows, and there is no account here
        return ()


def _parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """What a model takes; where it is one of several, each is listed after what chooses it."""
    return [each for shape in shapes(model) for each in _of_shape(shape)]


def _of_shape(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return [
        {
            "name": name,
            "type": _type(prop, definitions),
            "required": name in schema.get("required", ()),
            "default": prop.get("default"),
            "description": prop.get("description") or prop.get("title", ""),
        }
        for name, prop in schema.get("properties", {}).items()
    ]


def _type(prop: dict[str, Any], definitions: dict[str, Any]) -> str:
    if variants := prop.get("oneOf") or prop.get("anyOf"):
        return " or ".join(
            _type(variant, definitions) for variant in variants if variant != {"type": "null"}
        )
    if reference := prop.get("$ref"):
        target = definitions[reference.rsplit("/", 1)[-1]]
        return f"{{ {', '.join(_keys(target))} }}"
    if "const" in prop:
        return json.dumps(prop["const"])
    if "enum" in prop:
        return " | ".join(json.dumps(value) for value in prop["enum"])
    if prop.get("type") == "array":
        return f"list of {_type(prop.get('items', {}), definitions)}"
    return str(prop.get("type", "any")) + (" (secret)" if prop.get("writeOnly") else "")


def _keys(model: dict[str, Any]) -> list[str]:
    """What tells it from others comes first; then what is needed, then what is not, marked."""
    properties, required = model.get("properties", {}), model.get("required", ())
    telling = [
        f"{key} = {json.dumps(inner['const'])}"
        for key, inner in properties.items()
        if "const" in inner
    ]
    others = [key for key, inner in properties.items() if "const" not in inner]
    needed = [key for key in others if key in required]
    return [*telling, *needed, *(f"{key}?" for key in others if key not in required)]


def _show(described: dict[str, Any]) -> None:
    click.secho(
        f'{described["label"] or described["kind"]} — kind = "{described["kind"]}"', bold=True
    )
    click.echo(f"{described['description']}\n")
    columns = ["name", "type", "default", "what it is"]
    for title in ("settings", "common_settings", "options"):
        rows = [
            [
                each["name"],
                each["type"].replace(" or {", "\nor {"),
                _needed(each),
                each["description"],
            ]
            for each in described[title]
        ]
        if rows:
            table(title.replace("_", " ").capitalize(), columns, rows)
    for each in described["objects"]:
        of = f" of {each['id']}" if each["id"] else ""
        verbs = [
            [
                mode["id"],
                mode["add"] or "–",
                mode["change"] or "–",
                mode["remove"] or "–",
                mode["description"],
            ]
            for mode in each["modes"]
        ]
        table(f"Modes{of}", ["mode", "add", "change", "remove", "what it does"], verbs)
        marks = [
            [field["id"], field["type"], _marks(field), field["description"]]
            for field in each["fields"]
        ]
        table(f"Fields{of}", ["field", "type", "", "what it is"], marks)
    limits = {name: value for name, value in described["limits"].items() if value is not None}
    click.echo("Limits: " + ", ".join(f"{name} {value}" for name, value in limits.items()))


def _needed(parameter: dict[str, Any]) -> str:
    return "required" if parameter["required"] else _text(parameter["default"])


def _marks(field: dict[str, Any]) -> str:
    return ", ".join(name for name in ("identifier", "required") if field[name])


def _text(value: Any) -> str:
    return "" if value is None else json.dumps(value)
