"""What a record says of a profile, whoever is told."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from destination import Code, Record, RowError

MOST_IDS = 100
"""Partner ids in one row."""

LONGEST_ID = 500
"""Characters of one; the REST API takes them in the address of a request."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def partner_ids(record: Record) -> list[str]:
    """
    The record's external ids, each once.

    Raises:
        RowError: There are none, or too many, or they are something else.
    """
    ids = [_text(one) for one in _listed(record.fields.get("partnerIds"))]
    if not ids or "" in ids:
        raise RowError("partnerIds: expected a text or a list of texts, none of them blank")
    if len(ids) > MOST_IDS or max(map(len, ids)) > LONGEST_ID:
        raise RowError(
            f"partnerIds: expected at most {MOST_IDS} ids of {LONGEST_ID} characters",
            code=Code.TOO_LARGE,
        )
    return list(dict.fromkeys(ids))


def _listed(value: Any) -> Sequence[Any]:
    """The value as a list; a text that is a JSON array is one too."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    return value if isinstance(value, list) else [value]


def _text(one: Any) -> str:
    """An id as text; empty for what can be none."""
    if type(one) is int and one.bit_length() < LONGEST_ID:
        return str(one)
    return one if isinstance(one, str) and one.strip() and not _SURROGATE.search(one) else ""


def known(record: Record, name: str) -> str | None:
    """The text of a field, None where it is blank."""
    value = record.fields.get(name)
    return value if isinstance(value, str) and value.strip() else None


def members(record: Record, name: str) -> Mapping[str, Any]:
    """The members of a field that is an object; what is null is not known, and left out."""
    held = record.fields.get(name)
    if not isinstance(held, Mapping):
        return {}
    return {key: value for key, value in held.items() if value is not None}
