"""What can be said about a sync to Mailchimp: settings, options, modes and fields."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic import Field as Option
from pydantic import ValidationInfo as Others
from pydantic.alias_generators import to_camel

from destination import Field, FieldType, Form, Mode, Object

API_KEY = re.compile(r"[!-~]+-([a-z]+[0-9]+)")


class Settings(BaseModel):
    """The account; its key or token belongs to the operator."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    api_key: SecretStr | None = None
    """An API key. What follows its dash, as in ``…-us19``, is the account's data centre."""
    oauth_token: SecretStr | None = None
    """An OAuth access token, in place of a key."""
    data_center: str | None = Option(None, pattern=r"^[a-z]+[0-9]+$")
    """The data centre of the token's account, such as ``us19``."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.api_key is None) == (self.oauth_token is None):
            raise ValueError("give either api_key or oauth_token")
        if self.api_key and not API_KEY.fullmatch(self.api_key.get_secret_value()):
            raise ValueError("an api_key ends with a dash and its data centre, as in …-us19")
        if self.oauth_token and not self.data_center:
            raise ValueError("an oauth_token needs data_center, such as us19")
        return self

    @property
    def server(self) -> str:
        """The data centre to speak to."""
        if self.api_key and (key := API_KEY.fullmatch(self.api_key.get_secret_value())):
            return key[1]
        return self.data_center or ""


TagName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Options(BaseModel):
    """What the marketer chooses for one sync."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    status_if_new: Literal["auto", "subscribed", "pending", "unsubscribed", "transactional"] = (
        Option("auto", title="Status of new contacts")
    )
    existing_status: Literal["keep", "overwrite"] = Option(
        "keep", title="Status of contacts that exist already"
    )
    compliance_pending: bool = Option(
        default=False,
        title="Ask people who left to come back",
        description="Who unsubscribed or bounced cannot simply be subscribed again: Mailchimp "
        "asks them by e-mail to confirm. Otherwise the row is rejected.",
    )
    skip_merge_validation: bool = Option(
        default=False, title="Accept contacts that lack required merge fields"
    )
    tags: list[TagName] = Option(
        [], title="Tags", description="For every contact, beside those mapped to the field Tags."
    )
    on_remove: Literal["archive", "unsubscribe", "removeTags", "deletePermanently", "nothing"] = (
        Option("archive", title="When a row is removed")
    )
    confirm_delete: bool = Option(
        default=False,
        title="Yes, delete contacts permanently",
        description="An address that was deleted permanently can never be imported again.",
        validate_default=True,
    )

    @field_validator("confirm_delete")
    @classmethod
    def _meant(cls, confirmed: bool, others: Others) -> bool:  # noqa: FBT001 - pydantic's signature
        if others.data.get("on_remove") == "deletePermanently" and not confirmed:
            raise ValueError("confirm it, or choose another way to remove contacts")
        return confirmed


LABELS = {
    "statusIfNew": {
        "auto": "Subscribed, or pending where the audience asks for double opt-in",
        "subscribed": "Subscribed",
        "pending": "Pending: Mailchimp asks them to confirm",
        "unsubscribed": "Unsubscribed",
        "transactional": "Transactional: never opted in",
    },
    "existingStatus": {
        "keep": "Keep it",
        "overwrite": "Overwrite it with that of the row, or else of new contacts",
    },
    "onRemove": {
        "archive": "Archive the contact",
        "unsubscribe": "Unsubscribe the contact",
        "removeTags": "Remove this sync's tags from the contact",
        "deletePermanently": "Delete the contact permanently",
        "nothing": "Leave the contact as it is",
    },
}
_REMOVING = ("onRemove", "confirmDelete")
_UNUSED = {
    "upsert": _REMOVING,
    "insert": (*_REMOVING, "existingStatus", "compliancePending"),
    "update": (*_REMOVING, "statusIfNew", "compliancePending"),
}


def form(mode: str | None) -> Form:
    """The options of a mode; those that it does not use are hidden."""
    unused = _UNUSED.get(mode or "", ())
    return Form(LABELS, {name: {"ui:widget": "hidden"} for name in unused})


MODES = (
    Mode("upsert", "Upsert", "save", "save", description="Adds and updates contacts."),
    Mode("mirror", "Mirror", "save", "save", "remove", "Adds, updates and removes contacts."),
    Mode("insert", "Insert", "insert", description="Adds contacts; known ones are rejected."),
    Mode("update", "Update", "update", "update", description="Updates contacts that exist."),
)
FIELDS = (
    Field("email_address", "Email address", FieldType.EMAIL, required=True, identifier=True),
    Field(
        "status",
        "Status",
        FieldType.ENUM,
        "Of this contact, in place of the one in the form.",
        choices=("subscribed", "pending", "unsubscribed", "cleaned", "transactional"),
    ),
    Field("language", "Language", description="A code such as en or pt_BR."),
    Field("vip", "VIP", FieldType.BOOLEAN),
    Field("email_type", "Email type", FieldType.ENUM, choices=("html", "text")),
    Field("tags", "Tags", FieldType.ARRAY, "Added to those that the contact has."),
)
AUDIENCE = Object("AUDIENCE_ID", "Audience", MODES, FIELDS, "Fields: these and the merge fields.")
