"""What can be asked of one audience: in bulk, about a contact, about a tag."""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import httpx

from destination import Record, Rejection, VendorClient, each
from destinations.mailchimp.answers import Bulk, Member, Problem, Tagging, Tags, normal, parsed

TagStatus = Literal["active", "inactive"]


def address(record: Record) -> str:
    """What Mailchimp knows the record by."""
    return normal(record.fields["email_address"])


class Requests:
    """
    Requests about one audience.

    Args:
        skip: Merge fields that the audience requires may be missing.
    """

    def __init__(self, http: VendorClient, audience: str, *, skip: bool) -> None:
        self._http = http
        self._path = f"/lists/{audience}"
        self._validation = {"skip_merge_validation": skip}

    async def bulk(
        self,
        records: Sequence[Record],
        members: Sequence[dict[str, Any]],
        *,
        update_existing: bool,
        repeatable: bool = True,
    ) -> Bulk:
        """All contacts at once; known ones only where they are to be updated."""
        body = {"members": members, "update_existing": update_existing}
        try:
            response = await self._http.request(
                "POST", self._path, json=body, params=self._validation, repeatable=repeatable
            )
        except Problem as problem:
            raise problem.about(records[0]) if len(records) == 1 else problem from None
        return parsed(Bulk, response)

    async def put(self, record: Record, member: dict[str, Any]) -> Member:
        """Add or update a contact."""
        response = await self._member(record, "PUT", json=member, params=self._validation)
        return parsed(Member, response)

    async def patch(self, record: Record, member: dict[str, Any]) -> None:
        """Update a contact that must exist."""
        await self._member(record, "PATCH", json=member, params=self._validation)

    async def archive(self, record: Record) -> None:
        """Archive a contact; pending and bounced ones cannot be, archived ones need not."""
        try:
            await self._gone(record, "DELETE")
        except Problem as problem:
            if problem.status != 405:
                raise
            contact = await self._member(record, "GET", params={"fields": "status"})
            if parsed(Member, contact).status != "archived":
                raise

    async def delete(self, record: Record) -> None:
        """Delete a contact for ever."""
        await self._gone(record, "POST", "/actions/delete-permanent")

    async def tag(self, records: Sequence[Record], tag: str, status: TagStatus) -> list[Rejection]:
        """Give a tag to contacts, or take it away: all in one request, the doubtful ones again."""
        segment = await self._segment(tag)
        if segment is None and status == "inactive":
            return []  # nobody has it
        if segment is None:
            await self._tag_one(records[0], tag, status)  # which makes the tag
            segment = await self._segment(tag)
        members = "members_to_add" if status == "active" else "members_to_remove"
        response = await self._http.request(
            "POST",
            f"{self._path}/segments/{segment}",
            json={members: [one.fields["email_address"] for one in records]},
            repeatable=True,
        )
        # Who is in no list of the answer had the tag: that they are contacts is known.
        errors = parsed(Tagging, response).errors
        doubtful = {normal(one) for error in errors for one in error.email_addresses}
        return await each(
            (record for record in records if address(record) in doubtful),
            lambda record: self._tag_one(record, tag, status),
        )

    async def _segment(self, tag: str) -> int | None:
        response = await self._http.request("GET", f"{self._path}/tag-search", params={"name": tag})
        found = parsed(Tags, response).tags
        return next((one.id for one in found if one.name.casefold() == tag.casefold()), None)

    async def _tag_one(self, record: Record, tag: str, status: TagStatus) -> None:
        body = {"tags": [{"name": tag, "status": status}]}
        ask = self._gone if status == "inactive" else self._member
        await ask(record, "POST", "/tags", json=body)

    async def _gone(self, record: Record, method: str, action: str = "", **options: Any) -> None:
        """A request that an unknown contact needs no more."""
        try:
            await self._member(record, method, action, **options)
        except Problem as problem:
            if problem.status != 404:
                raise

    async def _member(
        self, record: Record, method: str, action: str = "", **options: Any
    ) -> httpx.Response:
        """A request about one contact; each may be repeated."""
        hashed = hashlib.md5(address(record).encode(), usedforsecurity=False).hexdigest()
        path = f"{self._path}/members/{hashed}{action}"
        try:
            return await self._http.request(method, path, repeatable=True, **options)
        except Problem as problem:
            raise problem.about(record) from None
