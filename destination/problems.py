"""What is wrong with an operator's file, one line for each thing: where, and what was expected."""

from pydantic import BaseModel, ValidationError

from destination.sync import unknown


def explained(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each error: where, and what was expected; never the value."""
    lines = []
    for detail in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in detail["loc"] if part != "[key]")
        if detail["type"] == "extra_forbidden":
            # The names are known at the top only; below stands one of several shapes.
            top = list(model.model_fields) if len(detail["loc"]) <= 2 else []
            name = str(detail["loc"][-1])
            hint = (
                unknown("Setting", name, top) if top else f'Setting "{name}" does not exist here.'
            )
            lines.append(f"{where}: {hint}")
            continue
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "union_tag_invalid":  # whose message quotes what was given
            message = f"{detail['ctx']['discriminator']} must be {detail['ctx']['expected_tags']}"
        lines += [f"{where}: {line}" if where else line for line in message.splitlines()]
    return lines
