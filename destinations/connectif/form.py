"""What can be said about a sync to Connectif: settings and options."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, HttpUrl, StringConstraints, model_validator
from pydantic import Field as Option
from pydantic.alias_generators import to_camel

from destination import Address, Form, Object, SecretLine, Strict, Sync
from destinations.connectif.events import ALIAS, EventType

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


class Settings(Strict):
    """The store; its key belongs to the operator."""

    transport: Literal["api", "webhook"] = "api"
    """What takes the events: the public API, or the store's webhooks."""
    api_key: SecretLine | None = None
    """The API key as Connectif copies it. Webhooks need none, but it lists their events."""
    store_id: Id | None = None
    """The store in the address of its webhooks."""
    integrations: tuple[Id, ...] | None = None
    """Ids of the custom integrations whose events are listed; else all. ``[]`` lists none."""
    webhook_base_url: Address = HttpUrl("https://webhook-api.connectif.cloud")
    """The base address of webhooks."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.transport == "api" and self.api_key is None:
            raise ValueError('transport "api" needs api_key')
        if self.transport == "webhook" and self.store_id is None:
            raise ValueError('transport "webhook" needs store_id')
        return self


Alias = Annotated[str, StringConstraints(pattern=ALIAS)]


class Options(BaseModel):
    """What the marketer chooses for one sync."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    event_alias: Alias | None = Option(
        None, title="Alias of the event", description="As Connectif shows it in its list of events."
    )
    create_contact: bool = Option(
        default=False,
        title="Create contacts that do not exist",
        description="Otherwise a row whose contact does not exist is rejected.",
    )
    removal_alias: Alias | None = Option(
        None,
        title="Event for removed rows",
        description="The alias of a second event. Without one, removed rows are not sent.",
    )


def form(object: Object, mode: str | None, names: Mapping[str, str], *, webhook: bool) -> Form:
    """The options that are of use; ``names`` are the events there are, by alias."""
    unused = {
        "eventAlias": object.id is not None,
        "createContact": webhook,
        "removalAlias": mode not in (None, "send_all"),
    }
    hidden = {name: {"ui:widget": "hidden"} for name, hide in unused.items() if hide}
    return Form({"removalAlias": names}, hidden)


def problems(sync: Sync, options: Options, events: Mapping[str, EventType]) -> Iterator[str]:
    """What would keep the sync from working; ``events`` are those that are known, by alias."""
    if not events and not options.event_alias:
        yield "Type the alias of the event: Connectif does not list this destination's events."
    if sync.mode != "send_all":
        return
    if not options.removal_alias:
        yield "Name the event for removed rows, or choose a mode that does not send them."
    elif removal := events.get(options.removal_alias):
        mapped = {entry.to for entry in sync.mapping.entries}
        for field in removal.event_fields:
            if field.required and not field.is_primary_key and field.id not in mapped:
                yield (
                    f'The event for removed rows requires "{field.name or field.id}", which this '
                    "sync does not map."
                )
