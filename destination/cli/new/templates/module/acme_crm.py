"""Acme Crm: rows become people there, up to 100 in a request."""

from collections.abc import Iterable
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel

from destination import (
    Batch,
    Code,
    Connection,
    Destination,
    Field,
    FieldType,
    Limits,
    Mode,
    NoAnswer,
    Object,
    Record,
    Rejection,
    RowError,
    SecretLine,
    Strict,
    bearer,
    each,
    per_second,
    quoted,
)


class Settings(Strict):
    """What the operator configures."""

    token: SecretLine
    """The API token."""


class Options(BaseModel):
    """What the marketer chooses for a sync; nothing yet."""


class Result(BaseModel):
    """What the answer says of one person."""

    status: Literal["saved", "refused"]
    reason: str = ""


class Answer(BaseModel):
    """Results in the order of the people that were sent."""

    results: list[Result]


class AcmeCrm(Destination[Settings, Options]):
    """Rows as people of Acme Crm."""

    kind = "acme-crm"
    label = "Acme Crm"
    objects = (
        Object(
            modes=(
                Mode("upsert", "Upsert", add="save", change="save"),
                Mode("mirror", "Mirror", add="save", change="save", remove="delete"),
            ),
            fields=(
                Field("email", "E-mail", FieldType.EMAIL, required=True, identifier=True),
                Field("name", "Name"),
            ),
        ),
    )
    limits = Limits(batch_size=100, concurrency=4, rate=per_second(10))

    def connection(self) -> Connection:
        """Where requests go, and the token that lets them in."""
        token = self.settings.token.get_secret_value()
        return Connection("https://api.acme-crm.example", bearer(token))

    async def check(self) -> None:
        """Ask for something that needs the token and changes nothing."""
        await self.http.request("GET", "/me")

    def identity(self, record: Record) -> str:
        """Of several rows of a call with one address only the last is sent."""
        return str(record.fields["email"])

    async def deliver(self, batch: Batch[Options]) -> Iterable[Rejection]:
        """Save people together; delete them one by one, since there is no other way."""
        if batch.verb == "delete":
            return await each(batch.records, self._delete)
        people = [record.fields for record in batch.records]
        # Saving the same again changes nothing, so a request that got no answer is repeated.
        answer = await self.http.request(
            "POST", "/people", json={"people": people}, repeatable=True
        )
        try:
            results = Answer.model_validate_json(answer.content).results
            told = zip(batch.records, results, strict=True)
            return [_refused(one, result) for one, result in told if result.status != "saved"]
        except ValueError:  # not the JSON that is documented, or not a result for each person
            raise NoAnswer("the answer does not say who was saved; all may have been") from None

    async def _delete(self, record: Record) -> None:
        """Who is gone already is gone."""
        path = f"/people/{quote(record.fields['email'], safe='')}"
        await self.http.request("DELETE", path, accept=(404,))


def _refused(record: Record, result: Result) -> Rejection:
    """A vendor's words may repeat the row; ``quoted`` puts the column's name in its place."""
    reason = quoted(result.reason, record)
    told = f"Acme Crm refused the person: {reason}"
    return record.reject(RowError(told, code=Code.VENDOR_REJECTED))
