"""Connectif's events as it tells of them, and as objects and fields of ours."""

import re

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Named
from pydantic.alias_generators import to_camel

from destination import Field, FieldType, Mode, Object

ALIAS = r"^[^./\x00-\x20][^/\x00-\x1f]{0,199}$"
"""An alias is one step of a path."""

_TYPES = {
    "text": FieldType.STRING,
    "email": FieldType.EMAIL,
    "phone": FieldType.STRING,
    "integer": FieldType.NUMBER,
    "decimal": FieldType.NUMBER,
    "boolean": FieldType.BOOLEAN,
    "date": FieldType.DATETIME,
    "radio": FieldType.ENUM,
    "checkbox": FieldType.ARRAY,
}
_SHOWN_CHOICES = 20


MODES = (
    Mode("send", "Send new and changed rows", "send", "send", description="An event for each."),
    Mode(
        "send_added",
        "Send new rows",
        "send",
        description="An event for each row that is new since the sync was made.",
        skip_initial_run=True,
    ),
    Mode(
        "send_all",
        "Send new, changed and removed rows",
        "send",
        "send",
        "remove",
        "An event for each; for removed rows, a second one.",
    ),
)
TYPED = Object(
    modes=MODES,
    fields=(
        Field(
            "email",
            "E-mail",
            FieldType.EMAIL,
            "What contacts are known by. Map a field of the event's own if it has another id.",
            identifier=True,
        ),
    ),
    custom_fields=True,
)
"""An event that is known by its alias alone; its fields are mapped by their ids."""


class Told(BaseModel):
    """What Connectif tells; what it tells beyond that does not matter."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Choice(Told):
    """A value that a radio or checkbox field takes."""

    id: str
    label: str | None = None


class EventField(Told):
    """A field of an event."""

    id: str = Named(min_length=1)
    name: str | None = None
    type: str
    required: bool = False
    is_primary_key: bool = False
    json_pointer_path: str | None = None
    default_country_code: str | None = None
    options: tuple[Choice, ...] | None = None

    @property
    def choices(self) -> tuple[str, ...]:
        """The values it takes; none where it takes any."""
        return tuple(choice.id for choice in self.options or ())

    def field(self) -> Field:
        """It in the mapping form. A type of tomorrow takes what the row has."""
        return Field(
            self.id,
            self.name or "",
            _TYPES.get(self.type, FieldType.UNKNOWN),
            self._hint(),
            required=self.required or self.is_primary_key,
            identifier=self.is_primary_key,
            choices=self.choices if self.type == "radio" else (),
        )

    def _hint(self) -> str:
        if self.type == "phone" and self.default_country_code:
            return f"Numbers without a country are of +{self.default_country_code}."
        shown = [
            one.id if one.label in (None, one.id) else f"{one.id} ({one.label})"
            for one in (self.options or ())[:_SHOWN_CHOICES]
        ]
        return f"Takes {', '.join(shown)}." if shown else ""


class EventType(Told):
    """A custom event type: what is called an event in Connectif's screens."""

    alias: str | None = None
    name: str | None = None
    category: str
    receive_type: str | None = None
    event_fields: tuple[EventField, ...] = Named((), alias="fields")

    @property
    def key(self) -> EventField | None:
        """The field with the contact's address."""
        return next((field for field in self.event_fields if field.is_primary_key), None)

    def takes(self, transport: str) -> bool:
        """Whether rows can be sent to it in this way."""
        usable = bool(re.fullmatch(ALIAS, self.alias or ""))
        return usable and self.category == "receive" and self.receive_type == transport

    def object(self, *, custom_fields: bool) -> Object:
        """It as something to sync to, known by its alias."""
        fields = tuple(field.field() for field in self.event_fields)
        description = f"The event {self.alias}."
        label = self.name or str(self.alias)
        return Object(self.alias, label, MODES, fields, description, custom_fields)
