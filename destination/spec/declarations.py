"""Objects, modes and fields as an operator or a spec file declares them."""

from typing import Annotated

from pydantic import Field as Setting

from destination.model import Field, FieldType, Mode, Object
from destination.strict import Strict

Id = Annotated[str, Setting(min_length=1)]


class FieldDeclaration(Strict):
    """A field, shown in the mapping form and coerced to its type."""

    id: Id
    """The name in mappings; dots make nested objects."""
    label: str = ""
    type: FieldType = FieldType.STRING
    description: str = ""
    required: bool = False
    identifier: bool = False
    """The field may be chosen to match records by."""
    choices: tuple[str, ...] = ()
    """The values that an ENUM takes."""

    def field(self) -> Field:
        """The field itself."""
        return Field(**dict(self))


class ModeDeclaration(Strict):
    """A way to sync: the request for each operation, where rows are sent."""

    id: Id
    label: str = ""
    description: str = ""
    add: str | None = None
    """The request for added rows."""
    change: str | None = None
    """The request for changed rows."""
    remove: str | None = None
    """The request for removed rows."""
    skip_initial_run: bool = False
    """The platform records the rows of the first run without sending them."""

    def mode(self) -> Mode:
        """The mode itself."""
        return Mode(**dict(self))


class ObjectDeclaration(Strict):
    """Something rows can be synced to."""

    id: Id | None = None
    """May be left out where there is one object only."""
    label: str = ""
    description: str = ""
    modes: tuple[ModeDeclaration, ...]
    fields: tuple[FieldDeclaration, ...] = ()
    custom_fields: bool = False
    """Fields that are not declared may be mapped too."""

    def object(self) -> Object:
        """The object itself."""
        parts = {
            "modes": tuple(one.mode() for one in self.modes),
            "fields": tuple(one.field() for one in self.fields),
        }
        return Object(**{**dict(self), **parts})
