"""Filters on lists. A value that is none counts as a list of one, and null as an empty one."""

from collections.abc import Callable, Iterator
from typing import Any

from liquid.builtin.expressions.primitive import Blank, Empty
from liquid.undefined import is_undefined

from destination.template.values import equal, number, text, truthy, within


def _items(value: Any) -> list[Any]:
    if value is None or is_undefined(value) or isinstance(value, Blank | Empty):
        return []
    return list(value) if isinstance(value, list | tuple | range) else [value]


def _property(item: Any, path: Any) -> Any:
    for name in text(path).split("."):
        item = item.get(name) if isinstance(item, dict) else None
    return item


def _fits(items: list[Any], key: Any, expected: Any = None) -> Iterator[bool]:
    """For each item, whether its property is the expected one, or true when none is expected."""
    for item in items:
        value = _property(item, key)
        yield (
            truthy(value)
            if not truthy(expected) and expected is not False
            else equal(value, expected)
        )


def _where(items: list[Any], *condition: Any) -> list[Any]:
    return [item for item, fits in zip(items, _fits(items, *condition), strict=True) if fits]


def _reject(items: list[Any], *condition: Any) -> list[Any]:
    return [item for item, fits in zip(items, _fits(items, *condition), strict=True) if not fits]


def _find(items: list[Any], *condition: Any) -> Any:
    return next(iter(_where(items, *condition)), None)


def _find_index(items: list[Any], *condition: Any) -> int | None:
    return next((at for at, fits in enumerate(_fits(items, *condition)) if fits), None)


def _has(items: list[Any], *condition: Any) -> bool:
    return any(_fits(items, *condition))


def _sort(items: list[Any], key: Any = None, read: Callable[[Any], Any] | None = None) -> list[Any]:
    """Items without a value come last."""

    def rank(item: Any) -> tuple[bool, Any]:
        value = _property(item, key) if truthy(key) else item
        return value is None, read(value) if read and value is not None else value

    return sorted(items, key=rank)


def _sort_natural(items: list[Any], key: Any = None) -> list[Any]:
    return _sort(items, key, lambda value: text(value).lower())


def _join(items: list[Any], separator: Any = " ") -> str:
    parts = [",".join(map(text, item)) if isinstance(item, list) else text(item) for item in items]
    glue = " " if separator is None or is_undefined(separator) else text(separator)
    within(sum(map(len, parts)) + len(glue) * len(parts))
    return glue.join(parts)


def _map(items: list[Any], key: Any) -> list[Any]:
    return [_property(item, key) for item in items]


def _sum(items: list[Any], key: Any = None) -> float:
    return sum(number(_property(item, key) if truthy(key) else item) for item in items)


def _uniq(items: list[Any]) -> list[Any]:
    """Lists and objects are alike only when they are the same one."""
    kinds: dict[Any, Any] = {}
    for item in items:
        key = id(item) if isinstance(item, list | dict) else item
        kinds.setdefault((type(item) in (bool, list, dict), key), item)
    return list(kinds.values())


def _compact(items: list[Any]) -> list[Any]:
    return [item for item in items if item is not None]


def _concat(items: list[Any], more: Any = None) -> list[Any]:
    return items + _items(more)


def _reverse(items: list[Any]) -> list[Any]:
    return items[::-1]


def _slice(value: Any, start: Any, length: Any = 1) -> Any:
    whole = text(value) if isinstance(value, str | int | float) else _items(value)
    first, count = int(number(start)), int(number(length))
    first += len(whole) if first < 0 else 0
    return whole[:0] if first < 0 or count < 0 else whole[first : first + count]


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | range) else 0


def _first(value: Any) -> Any:
    return value[0] if _size(value) else ""


def _last(value: Any) -> Any:
    return value[-1] if _size(value) else ""


def _on_items(function: Callable[..., Any]) -> Callable[..., Any]:
    def listed(value: Any, *arguments: Any) -> Any:
        return function(_items(value), *arguments)

    return listed


_ON_ITEMS: dict[str, Callable[..., Any]] = {
    "compact": _compact,
    "concat": _concat,
    "find": _find,
    "find_index": _find_index,
    "has": _has,
    "join": _join,
    "map": _map,
    "reject": _reject,
    "reverse": _reverse,
    "sort": _sort,
    "sort_natural": _sort_natural,
    "sum": _sum,
    "uniq": _uniq,
    "where": _where,
}

LIST_FILTERS: dict[str, Callable[..., Any]] = {
    **{name: _on_items(function) for name, function in _ON_ITEMS.items()},
    "first": _first,
    "last": _last,
    "size": _size,
    "slice": _slice,
}
