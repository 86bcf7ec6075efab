"""Why a template is not taken, or fails on a row, and where in its text."""

from destination.errors import Code, ConfigError, RowError


class TemplateSyntaxError(ConfigError):
    """
    The template does not parse; the message starts with line and column.

    Args:
        problem: What is wrong, without the place.
        line: Where, counted from 1.
        column: Where in that line, counted from 1.
        within: Which of several templates this is, such as ``/user/name``; the message then
            starts with it.
    """

    def __init__(self, problem: str, *, line: int = 1, column: int = 1, within: str = "") -> None:
        place = f"{within}: " if within else ""
        super().__init__(f"{place}line {line}, column {column}: {problem}")
        self.problem = problem
        self.line = line
        self.column = column

    def inside(self, whole: str) -> "TemplateSyntaxError":
        """The same fault, told of one template among several."""
        return TemplateSyntaxError(self.problem, line=self.line, column=self.column, within=whole)


class TemplateError(RowError):
    """The template fails on this row; the message names line and cause, and no values."""

    default_code = Code.TEMPLATE_ERROR


def position(source: str, index: int) -> tuple[int, int]:
    """Line and column of a character, both counted from 1."""
    return source.count("\n", 0, index) + 1, index - source.rfind("\n", 0, index)


def fault_at(source: str, index: int, problem: str) -> TemplateSyntaxError:
    """A fault at this character of the source."""
    line, column = position(source, index)
    return TemplateSyntaxError(problem, line=line, column=column)


def failure_at(source: str, index: int, problem: str) -> TemplateError:
    """A failure on a row at this character of the source."""
    line, column = position(source, index)
    return TemplateError(f"line {line}, column {column}: {problem}")
