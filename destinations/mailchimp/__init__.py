"""
Mailchimp: rows become contacts of an audience, up to 500 in a request.

Contacts that may have any status are sent in bulk. Where the form says that known contacts keep
theirs, the bulk call adds the new ones only, and each known one is updated singly without a status.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx

from destination import (
    Batch,
    Checked,
    Connection,
    Destination,
    DestinationError,
    Field,
    Form,
    Limits,
    NoAnswer,
    Object,
    Record,
    Rejection,
    RowError,
    Sync,
    bearer,
    each,
)
from destinations.mailchimp.answers import (
    COMPLIANCE,
    EXISTS,
    Account,
    Audience,
    Page,
    Problem,
    parsed,
    refusal,
)
from destinations.mailchimp.form import AUDIENCE, FIELDS, Options, Settings, form
from destinations.mailchimp.requests import Requests, TagStatus, address

OWN = {field.id for field in FIELDS}
SINGLE = ("archive", "deletePermanently")
"""What can be done to one contact at a time only."""


class Mailchimp(Destination[Settings, Options]):
    """Rows as contacts of a Mailchimp audience."""

    kind = "mailchimp"
    label = "Mailchimp"
    objects = (AUDIENCE,)
    # Mailchimp takes ten connections of a key; two are left to other applications.
    limits = Limits(batch_size=500, concurrency=7, spare=1, latency=3.0, remember=0.0)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._audiences: dict[str, Audience] = {}

    def connection(self) -> Connection:
        """The account's data centre. A bulk call's answer holds 500 whole contacts."""
        key, token = self.settings.api_key, self.settings.oauth_token
        return Connection(
            f"https://{self.settings.server}.api.mailchimp.com/3.0",
            httpx.BasicAuth("destination", key.get_secret_value())
            if key
            else bearer(token.get_secret_value() if token else ""),
            max_answer=8 * 2**20,
        )

    async def check(self) -> Checked:
        """Whose key it is, known at this data centre, and whether that person may add contacts."""
        told = {"fields": "account_name,role"}
        account = parsed(Account, await self.http.request("GET", "/", params=told))
        return Checked(account.says, account.warnings)

    async def discover(self) -> Sequence[Object]:
        """The account's audiences."""
        pages = await self._pages("/lists", "lists.id,lists.name,lists.double_optin")
        audiences = [audience for page in pages for audience in page.lists]
        self._audiences = {audience.id: audience for audience in audiences}
        return [replace(AUDIENCE, id=one.id, label=one.name, description="") for one in audiences]

    async def fields(self, object: Object, mode: str | None) -> Sequence[Field]:
        """The fields of every contact, and the audience's merge fields by their tags."""
        pages = await self._pages(f"/lists/{object.id}/merge-fields", "merge_fields")
        return *FIELDS, *(one.field(mode) for page in pages for one in page.merge_fields)

    async def _pages(self, path: str, fields: str) -> list[Page]:
        pages = list[Page]()
        while True:
            params = {"count": 1000, "offset": 1000 * len(pages), "fields": f"{fields},total_items"}
            pages.append(parsed(Page, await self.http.request("GET", path, params=params)))
            if pages[-1].total_items <= 1000 * len(pages):
                return pages

    def fields_for(self, fields: Sequence[Field], options: Options) -> Sequence[Field]:
        """The form may waive what the audience requires."""
        if not options.skip_merge_validation:
            return fields
        return [field if field.id in OWN else replace(field, required=False) for field in fields]

    async def form(self, object: Object, mode: str | None) -> Form:
        """The options that the mode uses."""
        return form(mode)

    async def validate(self, sync: Sync, options: Options) -> Sequence[str]:
        """Removing tags needs tags."""
        removing = sync.mode == "mirror" and options.on_remove == "removeTags"
        tagging = options.tags or any(entry.to == "tags" for entry in sync.mapping.entries)
        if removing and not tagging:
            return ["Removed rows are to lose their tags, but this sync has none: add a tag."]
        return []

    def limits_for(self, mode: str | None, options: Options | None) -> Limits:
        """Where contacts may have to be updated singly a call has one bulk call's worth of them."""
        if mode == "insert":
            # The same rows again would be rejected, as contacts that exist.
            return replace(self.limits, remember=Limits().remember)
        overwrite = options is not None and options.existing_status == "overwrite"
        singly = options is None or (mode == "mirror" and options.on_remove in SINGLE)
        if overwrite and not singly and mode != "update":
            return self.limits
        return replace(self.limits, call_size=self.limits.batch_size)

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """Problem documents, and a bare 403, which is throttling."""
        return refusal(response)

    def identity(self, record: Record) -> str:
        """Mailchimp knows contacts by address."""
        return address(record)

    async def deliver(self, batch: Batch[Options]) -> Sequence[Rejection]:
        """Contacts first, then the tags of those that were taken."""
        options = batch.options
        skip = options.skip_merge_validation or batch.verb == "remove"
        requests = Requests(self.http, batch.object or "", skip=skip)
        if batch.verb == "remove":
            return await self._remove(batch, requests)
        if batch.verb == "update":
            rejections = await each(batch.records, lambda one: self._update(options, requests, one))
        else:
            rejections = await self._save(batch, requests)
        rejected = {rejection.position for rejection in rejections}
        taken = [one for one in batch.records if one.position not in rejected]
        return [*rejections, *await self._tag(options, requests, taken, "active")]

    async def _save(self, batch: Batch[Options], requests: Requests) -> list[Rejection]:
        """In bulk; then each contact that exists, if it is to be updated and its status kept."""
        options, insert = batch.options, batch.verb == "insert"
        overwrite = options.existing_status == "overwrite" and not insert
        wanted = {one.position: self._status(batch, one) for one in batch.records}
        bulk = await requests.bulk(
            batch.records,
            [_contact(one, status=wanted[one.position]) for one in batch.records],
            update_existing=overwrite,
            repeatable=not insert,
        )

        async def settle(record: Record) -> None:
            refused = bulk.refused(record.fields["email_address"])
            if refused is None:
                return
            status = wanted[record.position]
            if refused.error_code == EXISTS and not insert:
                await _save_one(options, requests, record, status)
            elif overwrite and options.compliance_pending and not refused.field:
                await _save_one(options, requests, record, status, force=status)
            else:
                raise refused.about(record)

        return await each(batch.records, settle)

    async def _update(self, options: Options, requests: Requests, record: Record) -> None:
        """A contact that must exist; its status only if the row has one and may set it."""
        status = record.fields.get("status")
        if not status or options.existing_status == "keep":
            await requests.patch(record, _contact(record))
        elif status == "transactional":
            raise RowError("status: a contact that exists cannot become transactional")
        else:
            await requests.patch(record, _contact(record, status=status))

    async def _remove(self, batch: Batch[Options], requests: Requests) -> list[Rejection]:
        match batch.options.on_remove:
            case "archive":
                return await each(batch.records, requests.archive)
            case "deletePermanently":
                return await each(batch.records, requests.delete)
            case "removeTags":
                return await self._tag(batch.options, requests, batch.records, "inactive")
            case "unsubscribe":
                return await self._unsubscribe(batch.records, requests)
            case "nothing":
                return []

    async def _unsubscribe(self, records: Sequence[Record], requests: Requests) -> list[Rejection]:
        addresses = {address(one): one.fields["email_address"] for one in records}
        members = [{"email_address": one, "status": "unsubscribed"} for one in addresses.values()]
        bulk = await requests.bulk(records, members, update_existing=True)

        async def settle(record: Record) -> None:
            if refused := bulk.refused(record.fields["email_address"]):
                raise refused.about(record)

        return await each(records, settle)

    async def _tag(
        self, options: Options, requests: Requests, records: Sequence[Record], status: TagStatus
    ) -> list[Rejection]:
        """The form's tags and the row's own, all contacts of a tag at once."""
        tagged: dict[str, list[Record]] = {}

        async def sort(record: Record) -> None:
            for tag in {*options.tags, *_tags(record)}:
                tagged.setdefault(tag, []).append(record)

        rejections = await each(records, sort)
        for tag, members in sorted(tagged.items()):
            try:
                rejections += await requests.tag(members, tag, status)
            except DestinationError as error:
                partly = NoAnswer(f"the contact was taken, but not its tags: {error.message}")
                rejections += [one.reject(partly) for one in members]
        return rejections

    def _status(self, batch: Batch[Options], record: Record) -> str:
        """The status of a new contact: the row's, or the form's, or what the audience asks for."""
        audience = self._audiences.get(batch.object or "")
        usual = "pending" if audience and audience.double_optin else "subscribed"
        chosen = batch.options.status_if_new
        return str(record.fields.get("status") or (usual if chosen == "auto" else chosen))


async def _save_one(
    options: Options, requests: Requests, record: Record, status: str, *, force: str = ""
) -> None:
    """
    Add or update one contact.

    Args:
        status: What it gets if it is new, or archived and so out of the audience.
        force: What it gets in any case.
    """
    forced = {"status": force} if force else {}
    try:
        member = await requests.put(record, _contact(record, status_if_new=status, **forced))
    except Problem as problem:
        comply = options.compliance_pending and force not in ("", "pending")
        if problem.title != COMPLIANCE or not comply:
            raise
        await _save_one(options, requests, record, status, force="pending")
    else:
        if member.status == "archived" and not force:
            await _save_one(options, requests, record, status, force=status)


def _contact(record: Record, **status: str) -> dict[str, Any]:
    """The contact that a record makes; an empty merge field is cleared."""
    member = {
        name: value
        for name, value in record.fields.items()
        if name in OWN - {"status", "tags"} and value not in (None, "")
    }
    merge_fields = {
        tag: "" if value is None else value
        for tag, value in record.fields.items()
        if tag not in OWN
    }
    return member | status | ({"merge_fields": merge_fields} if merge_fields else {})


def _tags(record: Record) -> Sequence[str]:
    tags = record.fields.get("tags") or ()
    if not all(isinstance(tag, str) and tag.strip() for tag in tags):
        raise RowError("tags: expected a list of texts; the contact was taken without them")
    return [tag.strip() for tag in tags]
