"""A kind of destination that accepts every row it is given: what is left is the cost of a call."""

from pydantic import BaseModel

from bench.rows import FIELDS
from destination import (
    Batch,
    Destination,
    Field,
    FieldType,
    Limits,
    Mode,
    NoOptions,
    Object,
    Rejection,
)


class Settings(BaseModel):
    """Nothing has to be told."""


class Accepting(Destination[Settings, NoOptions]):
    """Rows are mapped, coerced to their types and checked, and then taken."""

    kind = "accepting"
    label = "Accepting"
    objects = (
        Object(
            modes=(Mode("upsert", "Upsert", "upsert", "upsert"),),
            fields=tuple(
                Field(name, type=FieldType(type), required=True, identifier=name == "email")
                for name, type in FIELDS.items()
            ),
        ),
    )
    limits = Limits(batch_size=500, remember=0)

    async def deliver(self, batch: Batch[NoOptions]) -> tuple[Rejection, ...]:
        """Nothing is sent, and nothing refused."""
        return ()
