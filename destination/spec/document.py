"""
A spec file: a whole destination as one document.

It declares and does not compute: there are no conditions, loops or inheritance between its parts. A
vendor that needs them is a module under ``destinations``.
"""

from collections.abc import Collection, Iterator
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from destination.model import Mode, Operation
from destination.schema import RESERVED
from destination.spec.declarations import Id, LimitsDeclaration, ObjectDeclaration, Trial
from destination.spec.forms import FormSchema
from destination.spec.places import of_settings, schemes, templates, unfit, unknown_members
from destination.spec.prepared import Prepared, ungrouped
from destination.spec.request import SHARED, Request, UrlText
from destination.spec.selection import Selection
from destination.strict import Some, Strict
from destination.sync import unknown
from destination.template import Condition
from destination.tuning import Tuning
from destination.vendor.access import Auth, Signing

NAMES = SHARED | {"id", "fields", "row", "row_id", "records"}
"""What templates can name beside the fields."""

COMMON = frozenset({*Tuning.model_fields, "kind", "spec"})
"""The settings that every destination has."""


class CheckDeclaration(Strict):
    """A request that reads, by which ``destination check`` sees whether we are let in."""

    url: UrlText
    """What is asked for by GET."""


class Document(Selection):
    """The whole file."""

    schema_: Annotated[str | None, Field(alias="$schema")] = None
    """Where an editor finds this schema."""
    comment_: Annotated[str | tuple[str, ...], Field(alias="$comment")] = ""
    """What whoever keeps the file should know; JSON has no other comments."""
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
    """The name of the kind."""
    label: str = ""
    """The vendor's name as people write it."""
    description: str = ""
    """What it does, in a sentence."""
    docs: str = ""
    """Where the vendor describes the API."""
    base_url: str
    """What the requests' paths are below; it may name `settings`."""
    settings: FormSchema = Field(default_factory=dict)
    """What the operator configures, as JSON Schema; `"writeOnly": true` marks a secret."""
    options: FormSchema = Field(default_factory=dict)
    """What the marketer chooses for a sync, as JSON Schema."""
    auth: dict[str, Any] = Field({"scheme": "none"}, json_schema_extra=schemes(Auth))
    """How to be let in, by one of the schemes of a webhook; texts may name `settings`."""
    signing: Annotated[dict[str, Any], Field(json_schema_extra=schemes(Signing))] | None = None
    """How requests are signed, by one of the schemes of a webhook; texts may name `settings`."""
    limits: LimitsDeclaration = LimitsDeclaration()
    """How fast the vendor may be called."""
    check: CheckDeclaration | None = None
    """How to see whether we are let in."""
    objects: Annotated[tuple[ObjectDeclaration, ...], Some]
    """What rows can be synced to."""
    requests: Annotated[dict[Id, Request], Some]
    """The requests, by the names that modes call them by."""
    tests: tuple[Trial, ...] = ()
    """Records in, requests and rejections out; `destination check` and pytest run them."""

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes of all objects."""
        return tuple(mode.mode() for object in self.objects for mode in object.modes)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        problems = (
            *self._of_forms(),
            *self._of_objects(),
            *self._of_requests(),
            *self._of_fields(),
            *self._of_places(),
            *(f"requests.{each}" for each in ungrouped(self, self.requests)),
        )
        if problems:
            raise ValueError("\n".join(dict.fromkeys(problems)))
        return self

    def _of_forms(self) -> Iterator[str]:
        for name in sorted(self.settings.get("properties", {}).keys() & COMMON):
            yield f"settings.{name}: every destination has a setting of this name"
        for name, option in self.options.get("properties", {}).items():
            if name in RESERVED:
                yield f"options.{name}: the platform reserves this name"
            if option.get("writeOnly"):
                yield f"options.{name}: a secret is the operator's, so it belongs into settings"

    def _of_objects(self) -> Iterator[str]:
        ids = [object.id for object in self.objects]
        if len(ids) > 1 and (None in ids or _twice(ids)):
            yield "objects: of several objects each needs an id of its own"
        for number, object in enumerate(self.objects):
            where = f"objects.{object.id or number}"
            for name in _twice([mode.id for mode in object.modes]):
                yield f"{where}.modes: {name} is declared twice"
            for name in _twice([field.id for field in object.fields]):
                yield f"{where}.fields: {name} is declared twice"

    def _of_requests(self) -> Iterator[str]:
        used = {mode.verb(each) for mode in self.modes for each in Operation} - {None}
        for name in sorted(str(one) for one in used - self.requests.keys()):
            yield f"objects: {unknown('Request', name, list(self.requests))}"
        for name in sorted(self.requests.keys() - used):
            yield f"requests.{name}: no mode names it"

    def _of_fields(self) -> Iterator[str]:
        """Names that nothing could ever stand for, where no other fields can be mapped."""
        for object in self.objects:
            if not object.custom_fields:
                known = {field.id.partition(".")[0] for field in object.fields}
                modes = [mode.mode() for mode in object.modes]
                verbs = {mode.verb(each) for mode in modes for each in Operation}
                for where, names in self._named(verbs):
                    for name in sorted(names - known):
                        yield f"{where}: {unknown('Field', name, sorted(known))}"

    def _named(self, verbs: Collection[str | None]) -> Iterator[tuple[str, set[str]]]:
        """The fields that are named by some requests, and by what holds for all of them."""
        requests = {name: one for name, one in self.requests.items() if name in verbs}
        for name, request in requests.items():
            if request.payload != "event":
                members = {each.members("fields") for each in templates(request.model_dump())}
                named = Prepared(request).columns - NAMES
                yield f"requests.{name}", set(named.union(*members))
            if request.answer.rows and (field := request.answer.rows.field):
                yield f"requests.{name}.answer.rows.field", {field.partition(".")[0]}
        if self.group_by:
            yield "group_by", {self.group_by.partition(".")[0]}
        if self.consent:
            yield "consent_at", {self.consent_at.partition(".")[0]}
        if self.filter and all(request.payload != "event" for request in requests.values()):
            yield "filter", set(Condition.parse(self.filter).columns - NAMES)

    def _of_places(self) -> Iterator[str]:
        """Names that nothing is called by, where settings and options are known."""
        forms = {"settings": self.settings, "options": self.options}
        for name, request in self.requests.items():
            yield from unknown_members(f"requests.{name}", request.model_dump(), forms)
        for where in ("base_url", "auth", "signing"):
            yield from of_settings(where, getattr(self, where), self.settings)
        if self.check:
            yield from of_settings("check.url", self.check.url, self.settings)
        yield from unfit(self.base_url, self.auth, self.signing)


def _twice(names: list[Any]) -> list[Any]:
    return sorted({name for name in names if names.count(name) > 1})
