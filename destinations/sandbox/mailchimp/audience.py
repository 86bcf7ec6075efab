"""An audience that keeps contacts by Mailchimp's rules."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from destinations.sandbox.mailchimp.documents import Refusal, invalid, member_document
from destinations.sandbox.mailchimp.merge_fields import merge_fault

JSON = dict[str, Any]

MOST_MEMBERS = 500
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
LEFT = ("unsubscribed", "cleaned")
"""Statuses out of which only the person can come back to subscribed."""

KNOWN = "is already a list member."
GONE = "was permanently deleted and cannot be re-imported. The contact must re-subscribe."
COMPLIANCE = "is in a compliance state due to unsubscribe, bounce, or compliance review."


class Audience:
    """
    Contacts by the hash of their address, and tags by id.

    Args:
        merge_fields: Each with tag, name, type, and perhaps required and choices.
        double_optin: What the audience says of itself; nothing here depends on it.
    """

    def __init__(
        self, id: str, name: str, merge_fields: tuple[JSON, ...], *, double_optin: bool = False
    ) -> None:
        self.id = id
        self.name = name
        self.merge_fields = merge_fields
        self.double_optin = double_optin
        self._types = {field["tag"]: field for field in merge_fields}
        self.contacts: dict[str, JSON] = {}
        self.tags: dict[int, str] = {}
        self._forgotten: set[str] = set()

    def bulk(self, body: JSON, *, skip: bool) -> JSON:
        """Add and update up to 500 members; each is taken or refused on its own."""
        members = body.get("members")
        if not isinstance(members, list) or len(members) > MOST_MEMBERS:
            raise invalid("members", f"Expected an array of at most {MOST_MEMBERS}")
        for position, member in enumerate(members):
            _check_schema(member, f"members.item:{position}.")
        answer: JSON = {"new_members": [], "updated_members": [], "errors": []}
        seen = set[str]()
        for member in members:
            try:
                if (hashed := subscriber_hash(member["email_address"])) in seen:
                    raise invalid("email_address", "Duplicate address in this request")
                seen.add(hashed)
                new = not self._is_in(hashed)
                if not new and not body.get("update_existing"):
                    raise Refusal(
                        400, "Member Exists", f"{member['email_address']} is already a list member."
                    )
                contact = self._save(member, member.get("status"), skip=skip)
                answer["new_members" if new else "updated_members"].append(self.document(contact))
            except Refusal as refusal:
                answer["errors"].append(_bulk_error(member, refusal))
        return answer | {
            "total_created": len(answer["new_members"]),
            "total_updated": len(answer["updated_members"]),
            "error_count": len(answer["errors"]),
        }

    def put(self, hashed: str, member: JSON, *, skip: bool) -> JSON:
        """Add a member, or update it; ``status_if_new`` is for a new one only."""
        _check_schema(member)
        status_if_new = member.get("status_if_new")
        if status_if_new not in STATUSES or "email_address" not in member:
            raise invalid("status_if_new", "Required: email_address and a status")
        if subscriber_hash(member["email_address"]) != hashed:
            raise invalid("email_address", "Is not the address of this member")
        status = member.get("status") or (None if self._is_in(hashed) else status_if_new)
        return self.document(self._save(member, status, skip=skip))

    def patch(self, hashed: str, member: JSON, *, skip: bool) -> JSON:
        """Update a member that exists."""
        contact = self.contact(hashed)
        _check_schema(member)
        if member.get("status") == "transactional":
            raise invalid("status", "Cannot become transactional")
        member = {"email_address": contact["email_address"], **member}
        return self.document(self._save(member, member.get("status"), skip=skip))

    def _is_in(self, hashed: str) -> bool:
        """An archived contact is as good as unknown when it is added."""
        known = self.contacts.get(hashed)
        return known is not None and known["status"] != "archived"

    def contact(self, hashed: str) -> JSON:
        """The contact; raises Refusal when there is none."""
        if hashed not in self.contacts:
            raise Refusal(404, "Resource Not Found", "The requested resource could not be found.")
        return self.contacts[hashed]

    def archive(self, hashed: str) -> None:
        """Archive a contact that can be."""
        contact = self.contact(hashed)
        if contact["status"] in ("archived", "pending", "cleaned"):
            raise Refusal(405, "Method Not Allowed", "This list member cannot be removed.")
        contact["status"] = "archived"

    def forget(self, hashed: str) -> None:
        """Delete a contact for ever."""
        self.contact(hashed)
        del self.contacts[hashed]
        self._forgotten.add(hashed)

    def tag(self, hashed: str, name: str, *, active: bool) -> None:
        """Give one contact a tag, which is made if need be, or take it away."""
        tags = self.contact(hashed)["tags"]
        if active:
            tags.add(self.tag_id(name))
        else:
            tags.discard(self.tag_id(name))

    def tag_id(self, name: str) -> int:
        """The id of a tag, made if need be."""
        for id, known in self.tags.items():
            if known.casefold() == name.casefold():
                return id
        self.tags[id := 1000 + len(self.tags)] = name
        return id

    def tag_many(self, id: int, body: JSON) -> JSON:
        """Give contacts a tag or take it away; addresses that are not here are ignored."""
        if id not in self.tags:
            raise Refusal(404, "Resource Not Found", "The requested resource could not be found.")
        changed: dict[str, list[JSON]] = {}
        for key in ("members_to_add", "members_to_remove"):
            addresses = body.get(key, [])
            if len(addresses) > MOST_MEMBERS or not all(isinstance(one, str) for one in addresses):
                raise invalid(key, f"Expected an array of at most {MOST_MEMBERS} addresses")
            known = [self.contacts.get(subscriber_hash(one)) for one in addresses]
            changed[key] = [
                one for one in known if one and (id in one["tags"]) is (key == "members_to_remove")
            ]
        for contact in changed["members_to_add"]:
            contact["tags"].add(id)
        for contact in changed["members_to_remove"]:
            contact["tags"].discard(id)
        added, removed = ([self.document(one) for one in some] for some in changed.values())
        totals = {"total_added": len(added), "total_removed": len(removed), "error_count": 0}
        return {"members_added": added, "members_removed": removed, "errors": [], **totals}

    def document(self, contact: JSON) -> JSON:
        """A contact as the API shows it."""
        tags = [{"id": id, "name": self.tags[id]} for id in sorted(contact["tags"])]
        return member_document(self.id, subscriber_hash(contact["email_address"]), contact, tags)

    def rows(self) -> Iterator[JSON]:
        """Who is in the audience, by address, with the fields of a sync."""
        for contact in self.contacts.values():
            if contact["status"] != "archived":
                fields = {key: value for key, value in contact.items() if key != "merge_fields"}
                fields |= contact["merge_fields"]
                fields["tags"] = sorted(self.tags[id] for id in contact["tags"])
                yield {"id": contact["email_address"], "fields": fields}

    def _save(self, member: JSON, status: str | None, *, skip: bool) -> JSON:
        """Merge the member into its contact; raises Refusal before anything is changed."""
        hashed = subscriber_hash(member["email_address"])
        known = self.contacts.get(hashed)
        address = member["email_address"].strip()
        if not _plausible(address):
            raise invalid("email_address", f"{address} looks fake or invalid.")
        if hashed in self._forgotten and not known:
            raise Refusal(400, "Forgotten Email Not Subscribed", f"{address} {GONE}")
        if known and status == "subscribed" and known["status"] in LEFT:
            raise Refusal(400, "Member In Compliance State", f"{address} {COMPLIANCE}")
        merged = (known["merge_fields"] if known else {}) | {
            tag: value
            for tag, value in member.get("merge_fields", {}).items()
            if tag in self._types
        }
        self._check_merge_fields(merged, skip=skip)
        contact = self.contacts.setdefault(hashed, {"email_address": address, "tags": set()})
        contact |= {key: member[key] for key in ("language", "vip", "email_type") if key in member}
        contact |= {"merge_fields": merged, "status": status or contact.get("status", "subscribed")}
        return contact

    def _check_merge_fields(self, values: JSON, *, skip: bool) -> None:
        for tag, field in self._types.items():
            value = values.get(tag, "")
            if value == "" and field.get("required") and not skip:
                raise invalid(tag, "This value should not be blank.")
            if value != "" and (fault := merge_fault(field, value)):
                raise invalid(tag, fault)


def subscriber_hash(address: str) -> str:
    """The MD5 of the address in small letters."""
    return hashlib.md5(address.strip().lower().encode(), usedforsecurity=False).hexdigest()


def _plausible(address: str) -> bool:
    return bool(re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@.]+", address)) and "@nobody." not in address


def _bulk_error(member: JSON, refusal: Refusal) -> JSON:
    address = member["email_address"]
    field, message = next(((one["field"], one["message"]) for one in refusal.errors), ("", ""))
    return {
        "email_address": address,
        "error": refusal.detail if refusal.errors else f"{address} {refusal.detail}",
        "error_code": "ERROR_CONTACT_EXISTS"
        if refusal.title == "Member Exists"
        else "ERROR_GENERIC",
        "field": "" if field == "email_address" else field,
        "field_message": "" if field == "email_address" else message,
    }


def _check_schema(member: Any, at: str = "") -> None:
    """Raises Refusal where the request is not of the described shape: all of it is refused."""
    if not isinstance(member, dict) or not isinstance(member.get("email_address", ""), str):
        raise invalid(f"{at}email_address", "Schema describes string, other found instead")
    if "status" in member and member["status"] not in STATUSES:
        raise invalid(f"{at}status", "Value found not in enum")
    if not isinstance(member.get("vip", False), bool):
        raise invalid(f"{at}vip", "Schema describes boolean, other found instead")
    for tag, value in member.get("merge_fields", {}).items():
        parts = value.values() if isinstance(value, dict) else [value]
        if not all(isinstance(part, str | int | float) for part in parts):
            raise invalid(f"{at}merge_fields.{tag}", "Schema describes string, other found instead")
