"""What is wrong with an operator's file, one line for each thing: where, and what was expected."""

from pydantic import BaseModel, ValidationError

from destination.strict import shapes
from destination.sync import unknown


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
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "union_tag_invalid":  # whose message quotes what was given
            message = f"{detail['ctx']['discriminator']} must be {detail['ctx']['expected_tags']}"
        lines.append(f"{where}: {message}" if where else message)
    return lines
