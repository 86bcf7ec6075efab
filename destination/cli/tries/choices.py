"""A sync's configuration where none or part of it is given: what a person would choose first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from destination.instance import Instance
from destination.model import Field, Mode, Object, Operation
from destination.sync import choose_mode, choose_object

MAPPINGS = ("identifierMapping", "mappings", "customMappings")

Configuration = dict[str, Any]


async def completed(
    instance: Instance,
    given: Mapping[str, Any],
    columns: Sequence[str],
    id_column: str,
    operation: Operation,
) -> tuple[Configuration, list[str]]:
    """
    A configuration with object, mode and mapping, and what was chosen in sentences.

    The vendor is asked only where something is missing.

    Raises:
        ConfigError: The object or the mode does not exist, or one must be chosen.
        DestinationError: The vendor did not say what there is.
    """
    configuration, notes = dict(given), list[str]()
    if configuration.get("mode") and any(configuration.get(name) for name in MAPPINGS):
        return configuration, notes
    object = choose_object(await instance.objects(), configuration.get("object"))
    if object.id and not configuration.get("object"):
        configuration["object"] = object.id
        notes.append(f"Object {object.id}: there is no other.")
    mode = _mode(object, configuration.get("mode"), operation)
    if not configuration.get("mode"):
        configuration["mode"] = mode.id
        notes.append(_of_mode(object, mode, operation))
    if not any(configuration.get(name) for name in MAPPINGS):
        fields = await instance.plugin.fields(object, mode.id)
        chosen = dict(_mapped(columns, fields, object, id_column))
        configuration |= _mapping(chosen, fields)
        notes += _of_mapping(chosen, columns, fields, id_column)
    return configuration, notes


def _mode(object: Object, id: str | None, operation: Operation) -> Mode:
    """The one that is given, else the first that sends such rows."""
    if id is None:
        for mode in object.modes:
            if mode.verb(operation):
                return mode
    return choose_mode(object, id)


def _of_mode(object: Object, mode: Mode, operation: Operation) -> str:
    if len(object.modes) == 1:
        return f"Mode {mode.id}: there is no other."
    others = ", ".join(each.id for each in object.modes if each is not mode)
    return f"Mode {mode.id}: the first that sends rows to {operation}. Others: {others}."


def _mapped(
    columns: Sequence[str], fields: Sequence[Field], object: Object, id_column: str
) -> Iterator[tuple[str, str]]:
    """Each column with the field of its name; others with one of their own, where there may be."""
    declared = {field.id.casefold(): field.id for field in fields}
    for column in columns:
        if column.casefold() in declared:
            yield column, declared[column.casefold()]
        elif object.custom_fields and column != id_column:
            yield column, column


def _mapping(chosen: Mapping[str, str], fields: Sequence[Field]) -> Configuration:
    declared = {field.id: field for field in fields}
    known = [column for column, to in chosen.items() if to in declared]
    matching = sorted(
        (column for column in known if declared[chosen[column]].identifier),
        key=lambda column: not declared[chosen[column]].required,
    )[:1]
    parts = {
        "identifierMapping": matching,
        "mappings": [column for column in known if column not in matching],
        "customMappings": [column for column in chosen if column not in known],
    }
    return {
        name: [{"from": column, "to": chosen[column]} for column in found]
        for name, found in parts.items()
        if found
    }


def _of_mapping(
    chosen: Mapping[str, str], columns: Iterable[str], fields: Sequence[Field], id_column: str
) -> Iterator[str]:
    if chosen:
        yield f"Mapping: each column to the field of its name: {', '.join(chosen)}."
    left = [column for column in columns if column not in chosen and column != id_column]
    if left and fields:
        yield f"Not mapped, as no field is called so: {', '.join(left)}."
