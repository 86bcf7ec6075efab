"""What can be said about a sync to Relay42: settings, options, modes and fields."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, HttpUrl, RootModel, model_validator
from pydantic import Field as Option
from pydantic.alias_generators import to_camel

from destination import (
    Address,
    Auth,
    Field,
    FieldType,
    HeaderName,
    Mode,
    NoAuth,
    Object,
    OptionalAddress,
    SecretLine,
    Signing,
    Strict,
)

YEAR = 365 * 24 * 3600


class PayloadSettings(Strict):
    """Payloads of a custom connector go to an endpoint of yours."""

    delivery: Literal["payload"] = "payload"
    """Payloads as a custom connector receives them, to an endpoint of yours."""
    endpoint: Address
    """Where payloads are sent, with POST."""
    remove_endpoint: OptionalAddress = None
    """Where those of removed rows are sent, if elsewhere."""
    remove_method: Literal["POST", "PUT", "PATCH", "DELETE"] | None = None
    """Their HTTP method: DELETE, but POST where remove_endpoint or action_header is set."""
    action_header: HeaderName | None = None
    """A header of every request that says add or remove."""
    external_id_required: bool = False
    """The endpoint cannot do without the External ID."""
    auth: Auth = NoAuth()
    """The endpoint's way of letting us in."""
    signing: Signing | None = None
    """How the endpoint can tell that a request is ours, beside ``auth``."""
    idempotent: bool = False
    """The endpoint takes the same payload twice without harm: it is sent again after no answer."""

    @property
    def removal(self) -> tuple[str, HttpUrl]:
        """Method and address of what removes a profile."""
        usual = "POST" if self.remove_endpoint or self.action_header else "DELETE"
        return self.remove_method or usual, self.remove_endpoint or self.endpoint

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if self.removal == ("POST", self.endpoint) and not self.action_header:
            raise ValueError(
                "nothing tells removals from additions: "
                "set another remove_method, a remove_endpoint or an action_header"
            )
        return self


class FactsSettings(Strict):
    """Facts go to the profiles of a site, by the REST API."""

    delivery: Literal["facts"]
    """Facts about profiles, to Relay42's own REST API."""
    site_id: Annotated[int, Option(ge=1)]
    """The site that the credentials are for."""
    api_identifier: Annotated[str, Option(pattern="^[^:]+$")] | None = None
    """The API identifier."""
    access_token: SecretLine | None = None
    """Its access token."""
    api_key: SecretLine | None = None
    """An API key, in place of both."""
    auth_url: Address = HttpUrl("https://api.relay42.com")
    """Where an API key is taken; base_url does not cover it."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        pair = (self.api_identifier, self.access_token)
        if (self.api_key is None) is (None in pair) or (self.api_key and any(pair)):
            raise ValueError("give either api_identifier and access_token, or api_key")
        return self


class Settings(
    RootModel[Annotated[PayloadSettings | FactsSettings, Option(discriminator="delivery")]]
):
    """Which delivery, and what it needs."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _usual(cls, values: Any) -> Any:
        return {"delivery": "payload", **values} if isinstance(values, dict) else values


Number = Annotated[int, Option(ge=1, le=2**53 - 1)]


class Options(BaseModel):
    """What the marketer chooses for one sync; either delivery hides what it does not use."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    partner_audience_id: str = Option(
        "",
        title="External ID",
        description="The segment, list or event in the connected system, spelt exactly as there.",
    )
    site_number: Number | None = Option(
        None, title="Site number", description="Your organisation's."
    )
    partner_number: Number | None = Option(
        None, title="Partner number", description="Which kind of id the partner IDs are."
    )
    relay42_audience_number: Number | None = Option(None, title="Relay42 audience number")
    fact_name: str = Option(
        "", title="Fact", description="Its name; the audience's rule is that a profile has it."
    )
    fact_ttl: Number = Option(
        YEAR,
        title="Lifetime of the fact, in seconds",
        description="Who is in the model for longer without a change leaves the audience then.",
    )
    force_insert: bool = Option(
        default=True, title="Make profiles for ids that Relay42 does not know"
    )

    @property
    def external_id(self) -> str | None:
        """The External ID as it was typed, None where it is blank."""
        return self.partner_audience_id if self.partner_audience_id.strip() else None


MODES = (
    Mode("mirror", "Mirror", "add", "add", "remove", "Adds, updates and removes profiles."),
    Mode("add_only", "Add only", "add", description="Adds profiles, and never removes one."),
)
PARTNER_IDS = Field(
    "partnerIds",
    "Partner IDs",
    FieldType.UNKNOWN,
    "The profile's external ids: a text, or a list of texts.",
    required=True,
    identifier=True,
)
CARRIED = (
    Field(
        "audienceVariables",
        "Audience variables",
        FieldType.OBJECT,
        "What is known of the profile: an object, or one by one as audienceVariables.NAME.",
    ),
    Field(
        "data",
        "Data",
        FieldType.OBJECT,
        "What is known of the audience: an object, or one by one as data.NAME.",
    ),
)
PAYLOAD_FIELDS = (
    PARTNER_IDS,
    Field("profileId", "Profile ID", description="Rows that share it become one payload."),
    Field("sourceId", "Source ID"),
    *CARRIED,
)
FACTS_FIELDS = (PARTNER_IDS, *CARRIED)
SEGMENT = Object("audience_segment", "Audience segment", MODES, PAYLOAD_FIELDS, custom_fields=True)
