"""``destination list`` and ``destination describe``."""

import asyncio
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from destination import registry
from destination.cli import (
    CONFIGURATION,
    Stop,
    config_option,
    json_option,
    markdown,
    table,
    unreadable,
)
from destination.cli.parameters import COLUMNS, limit_rows, needed, of_shape, parameters
from destination.cli.text import json_text, safe
from destination.errors import ConfigError
from destination.model import Object
from destination.plugin import Destination
from destination.settings import load
from destination.spec import declarations, document
from destination.spec import kinds as spec
from destination.spec.answer import Answer
from destination.spec.files import SUFFIXES, file_schema
from destination.spec.request import Request
from destination.spec.results import RowResults
from destination.strict import shapes
from destination.tuning import Tuning

SPEC = {"kind": registry.SPEC, "summary": "Rows to any API that a spec file describes."}


@click.command("list")
@config_option
@json_option
def list_command(config: str | None, *, as_json: bool) -> None:
    """Show all kinds, and the destinations that are configured."""
    try:
        settings = load(Path(config) if config else None)
    except ConfigError as error:
        raise unreadable(error) from None
    kinds = [*(_summary(kind) for kind in registry.kinds()), SPEC]
    configured = [
        {"name": name, "kind": values.get("kind")} for name, values in settings.destinations.items()
    ]
    if as_json:
        click.echo(json_text({"kinds": kinds, "destinations": configured}))
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
@click.option("--markdown", "printed", is_flag=True, help="Print it as a page has it.")
@click.option(
    "--into",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Write it as Markdown into this page, between {markdown.BEGIN} and {markdown.END}.",
)
def describe_command(kind: str, *, as_json: bool, printed: bool, page: Path | None) -> None:
    """
    Show what a kind can be told.

    That is its settings, options, modes, fields and limits. KIND is one of destination list, or a
    spec file, or a Python file, which is run. "spec" itself is the form of a spec
    file; with --json its JSON Schema, by which editors complete it.
    """
    try:
        if page is not None:
            markdown.put_into(page, as_markdown(kind))
        elif printed:
            click.echo(as_markdown(kind))
        elif kind == registry.SPEC:
            _show_format(as_json=as_json)
        elif as_json:
            click.echo(json_text(_described(kind)[1]))
        else:
            _show(_described(kind)[1])
    except ConfigError as error:
        raise _no_description(kind, error) from None


def as_markdown(kind: str) -> str:
    """
    The tables of a kind, of a file or of the form of spec files.

    Raises:
        ConfigError: There is no such kind or file, or it is broken.
    """
    if kind == registry.SPEC:
        return markdown.parts({title: parameters(model) for title, model in PARTS.items()})
    plugin, described = _described(kind)
    return markdown.kind(described, [of_shape(each) for each in shapes(plugin.settings_model)])


def _described(kind: str) -> tuple[type[Destination[Any, Any]], dict[str, Any]]:
    """A kind, or that of a file, and what it can be told; raises ConfigError when it is none."""
    if kind.lower().endswith(SUFFIXES):
        plugin: type[Destination[Any, Any]] = spec.load(Path(kind))
        return plugin, _description(plugin) | {"kind": registry.SPEC, registry.SPEC: kind}
    if kind.endswith(registry.PYTHON):
        plugin = registry.read(Path(kind))
        return plugin, _description(plugin) | {registry.MODULE: kind}
    plugin = registry.load(kind)
    return plugin, _description(plugin)


def _no_description(kind: str, error: ConfigError) -> Stop:
    return Stop(
        f'There is no description of "{kind}".',
        error.message,
        "See the form of such a file with: destination describe spec"
        if kind.lower().endswith(SUFFIXES)
        else "See all kinds with: destination list",
        CONFIGURATION,
    )


PARTS: Mapping[str, type[BaseModel]] = {
    "The file": document.Document,
    "limits": declarations.LimitsDeclaration,
    "objects": declarations.ObjectDeclaration,
    "objects.modes": declarations.ModeDeclaration,
    "objects.fields": declarations.FieldDeclaration,
    "requests": Request,
    "requests.answer": Answer,
    "requests.answer.rows": RowResults,
    "tests": declarations.Trial,
    "tests.requests": declarations.ExpectedRequest,
    "tests.replies": declarations.Reply,
}
"""The tables of a spec file."""


def _show_format(*, as_json: bool) -> None:
    """The form of a spec file."""
    if as_json:
        click.echo(json_text(file_schema()))
        return
    click.secho(f"A spec file, in {', '.join(SUFFIXES)}", bold=True)
    click.echo(f"{inspect.getdoc(document)}\n")
    for title, model in PARTS.items():
        rows = [
            [each["name"], each["type"], needed(each), each["description"]]
            for each in parameters(model)
        ]
        table(title, COLUMNS, rows)


def _description(plugin: type[Destination[Any, Any]]) -> dict[str, Any]:
    objects = _objects(plugin)
    return {
        "kind": plugin.kind,
        "label": plugin.label,
        "description": (plugin.__doc__ or "").strip(),
        "settings": parameters(plugin.settings_model),
        "common_settings": parameters(Tuning),
        "options": parameters(plugin.options_model),
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


def _show(described: dict[str, Any]) -> None:
    settings = {name: described[name] for name in ("kind", "spec", "module") if name in described}
    told = ", ".join(f'{name} = "{value}"' for name, value in settings.items())
    click.secho(safe(f"{described['label'] or described['kind']} — {told}"), bold=True)
    click.echo(f"{safe(described['description'])}\n")
    for title in ("settings", "common_settings", "options"):
        rows = [
            [
                each["name"],
                each["type"].replace(" or {", "\nor {"),
                needed(each),
                each["description"],
            ]
            for each in described[title]
        ]
        if rows:
            table(title.replace("_", " ").capitalize(), COLUMNS, rows)
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
        if marks:
            table(f"Fields{of}", ["field", "type", "", "what it is"], marks)
    table("Limits", ["name", "default", "what it is"], limit_rows(described["limits"]))


def _marks(field: dict[str, Any]) -> str:
    return ", ".join(name for name in ("identifier", "required") if field[name])
