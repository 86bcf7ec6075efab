"""What is wrong with an operator's file, one line for each thing: where, and what was expected."""

import re

from pydantic import BaseModel, ValidationError

from destination.strict import shapes
from destination.sync import unknown

_PLAINLY = {
    "dict_type": "must be a table",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
}
"""What is expected, where pydantic says it in Python's words."""

_NAMED = re.compile(r"[A-Za-z_][^\s:]*: ")
"""How a problem starts that names a setting itself."""


def explained(error: ValidationError, model: type[BaseModel], below: str = "") -> list[str]:
    """One line for each error: where (below this), and what was expected; never the value."""
    lines, several = [], len(shapes(model)) > 1
    for detail in error.errors(include_url=False, include_input=False):
        loc = [each for each in detail["loc"] if each != "[key]"]
        loc = loc[1:] if several else loc  # a union's begins with the shape
        where = ".".join([*filter(None, [below]), *map(str, loc)])
        if detail["type"] == "extra_forbidden":
            # The names are known at the top only; below stands one of several shapes.
            top = list(model.model_fields) if len(loc) <= 2 and not several else []
            name = str(loc[-1])
            hint = (
                unknown("Setting", name, top) if top else f'Setting "{name}" does not exist here.'
            )
            lines.append(f"{where}: {hint}")
            continue
        message = _PLAINLY.get(detail["type"], detail["msg"].removeprefix("Value error, "))
        if detail["type"] == "union_tag_invalid":  # whose message quotes what was given
            message = f"{detail['ctx']['discriminator']} must be {detail['ctx']['expected_tags']}"
        for line in message.splitlines():
            between = "." if _NAMED.match(line) else ": "
            lines.append(f"{where}{between}{line}" if where else line)
    return lines
