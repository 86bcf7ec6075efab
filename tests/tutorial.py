"""A reader of ``docs/writing.md``, who does with its blocks what it says."""

import ast
import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "writing.md"


def blocks() -> list[str]:
    """The page's blocks of Python, first the file that the command has written."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def applied(source: str, block: str) -> str:
    """
    A file with a block in it: imports at the top, and every other definition in the place of what
    has its name, or else after the one before it.
    """
    last, indent = 0, 0
    for node in ast.parse(block).body:
        text = _text(block, node)
        if isinstance(node, ast.ImportFrom):
            source = _put(source, text, _imports(source) + 1, _imports(source))
            continue
        place = next((one for one in _places(source) if _name(one) == _name(node)), None)
        if place:
            indent = place.col_offset
            begin, end = _first(place), place.end_lineno or 0
        else:
            assert last, f"nothing is there that {_name(node)} could be added after"
            text = ("\n" if indent else "\n\n") + text
            begin, end = last + 1, last
        text = textwrap.indent(text, " " * indent)
        source = _put(source, text, begin, end)
        last = begin - 1 + len(text.splitlines())
    return source


def _places(source: str) -> list[ast.stmt]:
    """What stands in the module and in its classes."""
    top = ast.parse(source).body
    return [*top, *(one for each in top if isinstance(each, ast.ClassDef) for one in each.body)]


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target)
    return str(getattr(node, "name", ""))


def _imports(source: str) -> int:
    """The last line of the imports."""
    found = [one for one in ast.parse(source).body if isinstance(one, ast.Import | ast.ImportFrom)]
    return found[-1].end_lineno or 0


def _first(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min(each.lineno for each in (node, *decorators))


def _text(source: str, node: ast.stmt) -> str:
    return "\n".join(source.splitlines()[_first(node) - 1 : node.end_lineno])


def _put(source: str, text: str, begin: int, end: int) -> str:
    """Text in place of the lines from ``begin`` to ``end``, none when that is the line before."""
    lines = source.splitlines()
    return "\n".join([*lines[: begin - 1], *text.splitlines(), *lines[end:]]) + "\n"
