"""What Mailchimp answers, as far as it matters, and what its refusals mean."""

import re
from functools import cached_property
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from destination import (
    AuthError,
    DestinationError,
    Field,
    FieldType,
    NoAnswer,
    RateLimited,
    Record,
    RefusedError,
    TargetError,
    quoted,
)

COMPLIANCE = "Member In Compliance State"
EXISTS = "ERROR_CONTACT_EXISTS"


class Problem(RefusedError):
    """A refusal. Its own words may quote a contact, so they wait for ``about``."""

    status = 0
    title = ""
    words = ""

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """The refusal in an answer of problem+json, or in its status alone."""
        document = _document(response) or {}
        faults = document.get("errors")
        faults = (
            [one for one in faults if isinstance(one, dict)] if isinstance(faults, list) else []
        )
        problem = cls(f"Mailchimp answered {response.status_code}")
        problem.status = response.status_code
        problem.title = str(document.get("title", ""))
        told = [problem.title, document.get("detail")]
        told += [f"{fault.get('field')}: {fault.get('message')}" for fault in faults]
        problem.words = ". ".join(str(one).rstrip(".") for one in told if one)
        return problem

    def about(self, record: Record) -> Self:
        """The same with Mailchimp's words, without the record's values."""
        if self.words:
            self.message = f"Mailchimp refused the contact: {quoted(self.words, record)}"
        return self


def refusal(response: httpx.Response) -> DestinationError | None:
    """The error in an answer; None leaves it to the status."""
    status, document = response.status_code, _document(response)
    path = response.request.url.path
    if status == 403 and document is None:
        return RateLimited("not sent: Mailchimp answered 403 without a reason: too many requests")
    if status == 403:
        return AuthError("Mailchimp answered 403: the key or the account lacks the right")
    if status == 404 and "/members/" not in path:
        return TargetError("Mailchimp answered 404: the audience, or its tag, is there no more")
    # Some malformed addresses make a bulk call fail; nothing else is wrong with its other members.
    isolate = status == 500 and document is not None and re.search(r"/lists/[^/]+$", path)
    return Problem.of(response) if status in (400, 404, 405, 414, 422) or isolate else None


def _document(response: httpx.Response) -> dict[str, Any] | None:
    try:
        document = response.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


Model = TypeVar("Model", bound=BaseModel)


def parsed(model: type[Model], response: httpx.Response) -> Model:
    """The answer as the model; raises NoAnswer when it is something else."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError:
        raise NoAnswer("Mailchimp's answer cannot be read; may have been delivered") from None


class Account(BaseModel):
    """The account that a key belongs to, and what its user may do there."""

    account_name: str = ""
    role: str = ""

    @property
    def says(self) -> str:
        """Both, as far as they are told."""
        told = (
            (f'account "{self.account_name}"', self.account_name),
            (f"role {self.role}", self.role),
        )
        return ", ".join(words for words, given in told if given)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Two of Mailchimp's five user levels have nothing to do with contacts."""
        if self.role.lower() not in ("author", "viewer"):
            return ()
        return (
            f"the key is of a user with the role {self.role.lower()}, which does not import "
            "contacts; use the key of a manager, an admin or the owner",
        )


class Audience(BaseModel):
    """An audience in the list of them."""

    id: str
    name: str
    double_optin: bool = False


class Choices(BaseModel):
    """The options of a merge field."""

    choices: tuple[str, ...] = ()


class MergeField(BaseModel):
    """A merge field of an audience."""

    tag: str
    name: str
    type: str
    required: bool = False
    help_text: str = ""
    options: Choices = Choices()

    def field(self, mode: str | None) -> Field:
        """It in the mapping form. An update may leave out what the contact has already."""
        kind, hint = _TYPES.get(self.type, (FieldType.STRING, ""))
        required = self.required and mode != "update"
        return Field(
            self.tag,
            self.name,
            kind,
            self.help_text or hint,
            required=required,
            choices=self.options.choices,
        )


_TYPES = {
    "number": (FieldType.NUMBER, ""),
    "date": (FieldType.DATE, ""),
    "radio": (FieldType.ENUM, ""),
    "dropdown": (FieldType.ENUM, ""),
    "birthday": (FieldType.STRING, 'MM/DD, as the template {{ born | date: "%m/%d" }} makes it.'),
    "address": (FieldType.OBJECT, "addr1, city, state and zip; addr2 and country may be left out."),
}


class Page(BaseModel):
    """Some of a list, and how many there are in all."""

    total_items: int
    lists: list[Audience] = []
    merge_fields: list[MergeField] = []


class Member(BaseModel):
    """A contact."""

    email_address: str = ""
    status: str = ""


class Refused(BaseModel):
    """What a bulk call says of a contact that it did not take."""

    email_address: str = ""
    error: str = ""
    error_code: str = ""
    field: str = ""
    field_message: str = ""

    def about(self, record: Record) -> RefusedError:
        """The error, in Mailchimp's words without the record's values."""
        if self.error_code == EXISTS:
            return RefusedError("the contact is in the audience already")
        told = ": ".join(filter(None, (self.field, self.field_message or self.error)))
        return RefusedError(f"Mailchimp refused the contact: {quoted(told, record)}")


class Bulk(BaseModel):
    """The answer to a bulk call. It has no order: contacts are told apart by address."""

    new_members: list[Member] = []
    updated_members: list[Member] = []
    errors: list[Refused] = []

    @cached_property
    def _verdicts(self) -> dict[str, Refused | None]:
        taken = [normal(one.email_address) for one in (*self.new_members, *self.updated_members)]
        return dict.fromkeys(taken) | {normal(one.email_address): one for one in self.errors}

    def refused(self, address: str) -> Refused | None:
        """Why the contact was not taken, None when it was. Raises NoAnswer for one untold of."""
        try:
            return self._verdicts[normal(address)]
        except KeyError:
            raise NoAnswer(
                "Mailchimp did not mention this contact; may have been delivered"
            ) from None


class Tag(BaseModel):
    """A tag, which is a static segment of the same id."""

    id: int
    name: str


class Tags(BaseModel):
    """The answer to a search for tags."""

    tags: list[Tag] = []


class Untagged(BaseModel):
    """Addresses that a bulk call on a tag left as they were."""

    email_addresses: list[str] = []


class Tagging(BaseModel):
    """The answer to a bulk call on a tag."""

    errors: list[Untagged] = []


def normal(address: str) -> str:
    """The address as Mailchimp compares addresses: letters small, no spaces, no quotes."""
    return address.strip().replace('"', "").lower()
