"""The example for Braze, delivered through the whole server to a strict stand-in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from support import Serve, Served

from destination.listen import listening

FILE = Path(__file__).parents[2] / "examples" / "specs" / "braze.toml"
BRAZE = "/hightouch/braze"
STATES = ("opted_in", "subscribed", "unsubscribed", None)


@dataclass
class Workspace:
    """Users by external id, and events; 75 objects in a request, 50 ids to delete."""

    key: str = "3b0c5e11"
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    """How many objects came with each request."""

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._gate])
        app.router.add_post("/users/track", self._track)
        app.router.add_post("/users/delete", self._delete)
        app.router.add_get("/custom_attributes", self._attributes)
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            told = request.headers.get("Authorization")
            return web.json_response({"message": f"Invalid API key: {told}"}, status=401)
        if request.method == "POST" and request.content_type != "application/json":
            return web.json_response({"message": "Invalid JSON"}, status=400)
        response: web.StreamResponse = await handler(request)
        return response

    async def _attributes(self, request: web.Request) -> web.Response:
        return web.json_response({"message": "success", "attributes": []})

    async def _track(self, request: web.Request) -> web.Response:
        body = await request.json()
        [(name, objects)] = body.items()
        assert name in ("attributes", "events")
        self.sizes.append(len(objects))
        if len(objects) > 75:
            return web.json_response({"message": "Max Input Length Exceeded"}, status=400)
        errors = [
            {"type": problem, "input_array": name, "index": index}
            for index, one in enumerate(objects)
            if (problem := self._problem(name, one))
        ]
        if len(errors) == len(objects):
            told = (
                "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
            )
            return web.json_response({"message": told, "errors": errors}, status=400)
        bad = {error["index"] for error in errors}
        for index, one in enumerate(objects):
            if index not in bad:
                self._take(name, one)
        taken = {f"{name}_processed": len(objects) - len(errors)}
        more = {"errors": errors} if errors else {}
        return web.json_response({"message": "success", **taken, **more}, status=201)

    def _problem(self, name: str, one: dict[str, Any]) -> str:
        if not isinstance(one.get("external_id"), str) or not one["external_id"]:
            return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
        if type(one.get("_update_existing_only")) is not bool:
            return "'_update_existing_only' must be true or false"
        if name == "events" and not (one.get("name") and "T" in one.get("time", "")):
            return "'name' and 'time' are required"
        if name == "events" and None in one.values():
            return "null is no value of an event"
        if len(one.get("country") or "GB") != 2:
            return f"'country' {one['country']} is not a country"
        return "" if one.get("email_subscribe") in STATES else "'email_subscribe' is not valid"

    def _take(self, name: str, one: dict[str, Any]) -> None:
        existing_only, id = one.pop("_update_existing_only"), one["external_id"]
        if name == "events":
            self.events.append(one)
        elif id in self.users or not existing_only:
            held = self.users.setdefault(id, {}) | one
            self.users[id] = {key: value for key, value in held.items() if value is not None}

    async def _delete(self, request: web.Request) -> web.Response:
        body = await request.json()
        [(name, ids)] = body.items()
        self.sizes.append(len(ids))
        if name != "external_ids" or len(ids) > 50 or not all(isinstance(id, str) for id in ids):
            told = "The max number of ids per request was exceeded"
            return web.json_response({"message": told}, status=400)
        gone = [self.users.pop(id, None) for id in ids]
        deleted = len(gone) - gone.count(None)
        return web.json_response({"deleted": deleted, "message": "success"}, status=201)


@asynccontextmanager
async def braze(serve: Serve, **settings: Any) -> AsyncIterator[tuple[Served, Workspace]]:
    """A workspace, and a server that delivers to it."""
    workspace = Workspace()
    async with listening(workspace.app(), "127.0.0.1", 0, grace=0.1) as url:
        values = {
            "kind": "spec",
            "spec": str(FILE),
            "endpoint": url,
            "api_key": workspace.key,
            "allow_private_networks": True,
            **settings,
        }
        yield await serve({"braze": values}), workspace


def users(*rows: dict[str, Any], mode: str = "mirror", **options: Any) -> dict[str, Any]:
    """The params of add, change and remove, for users."""
    names = ("email", "country", "first_name", "favourite_colour")
    configuration = {
        "object": "user",
        "mode": mode,
        "identifierMapping": [{"from": "user_id", "to": "external_id"}],
        "mappings": [{"from": name, "to": name} for name in names],
        **options,
    }
    return {"idColumn": "user_id", "configuration": configuration, "rows": list(rows)}


def user(number: int, **columns: Any) -> dict[str, Any]:
    """A row."""
    return {
        "user_id": f"u{number}",
        "email": f"u{number}@example.com",
        "country": "GB",
        "first_name": "Ann",
        "favourite_colour": 'red & "blue"',
    } | columns


async def test_users_are_added_changed_and_removed(serve: Serve) -> None:
    """Users arrive 50 at a time, are changed in place, lose what is null, and are deleted."""
    async with braze(serve) as (server, workspace):
        rows = [user(number) for number in range(120)]
        added = await server.result("add", users(*rows), path=BRAZE)
        changes = [user(0, first_name=None), user(1, favourite_colour="green\n☃")]
        changed = await server.result("change", users(*changes), path=BRAZE)
        removed = await server.result("remove", users(*rows[100:]), path=BRAZE)

    assert added == changed == removed == {"rejectedRows": []}
    assert len(workspace.users) == 100
    assert workspace.users["u0"] == {
        "external_id": "u0",
        "email": "u0@example.com",
        "country": "GB",
        "favourite_colour": 'red & "blue"',
    }
    assert workspace.users["u1"]["favourite_colour"] == "green\n☃"
    assert sorted(workspace.sizes) == [2, 20, 20, 50, 50]


async def test_without_removals_requests_take_as_many_as_braze_does(serve: Serve) -> None:
    """A sync that only upserts sends 75 users in a request."""
    async with braze(serve) as (server, workspace):
        rows = [user(number) for number in range(100)]
        await server.result("add", users(*rows, mode="upsert"), path=BRAZE)

    assert sorted(workspace.sizes) == [25, 75]


async def test_users_that_braze_refuses_are_rejected_and_the_others_taken(serve: Serve) -> None:
    """Of a batch only the rows that Braze names are rejected, with its words and no values."""
    async with braze(serve) as (server, workspace):
        rows = [user(0), user(1, country="Atlantis"), user(2), user(3, email="no address")]
        answer = await server.result("add", users(*rows), path=BRAZE)

    reasons = {each["id"]: each["reason"] for each in answer["rejectedRows"]}
    assert sorted(workspace.users) == ["u0", "u2"]
    assert reasons == {
        "u1": "VENDOR_REJECTED: the vendor refused the row: 'country' [country] is not a country",
        "u3": "INVALID_ROW: email: expected an email address",
    }


async def test_a_batch_of_which_nothing_is_good_is_rejected_row_by_row(serve: Serve) -> None:
    """Where Braze takes none of a batch, each row still gets its own reason."""
    async with braze(serve) as (server, workspace):
        rows = [user(number, country="Atlantis") for number in range(3)]
        answer = await server.result("add", users(*rows), path=BRAZE)

    assert len(answer["rejectedRows"]) == 3
    for each in answer["rejectedRows"]:
        assert each["reason"].endswith(" 400: 'country' [country] is not a country")
    assert workspace.users == {}


async def test_unknown_users_are_left_alone_where_the_sync_says_so(serve: Serve) -> None:
    """With ``existing_only`` a user that Braze does not know is not created."""
    async with braze(serve) as (server, workspace):
        await server.result("add", users(user(0)), path=BRAZE)
        rows = [user(0, first_name="Bea"), user(1)]
        await server.result("add", users(*rows, existing_only=True), path=BRAZE)

    assert {id: each["first_name"] for id, each in workspace.users.items()} == {"u0": "Bea"}


async def test_events_are_recorded_with_their_properties(serve: Serve) -> None:
    """Rows become events; empty columns are left out, since Braze takes no null there."""
    mappings = {"what": "name", "at": "time", "app": "app_id", "film": "properties.film"}
    configuration = {
        "object": "event",
        "mode": "insert",
        "identifierMapping": [{"from": "user_id", "to": "external_id"}],
        "mappings": [{"from": column, "to": name} for column, name in mappings.items()],
    }
    rows = [
        {
            "id": 1,
            "user_id": 7,
            "what": "rented",
            "at": "2026-01-31 09:30",
            "app": None,
            "film": "A&B",
        },
        {"id": 2, "user_id": 8, "what": "rented", "at": "never", "app": None, "film": None},
    ]
    async with braze(serve) as (server, workspace):
        params = {"idColumn": "id", "configuration": configuration, "rows": rows}
        answer = await server.result("add", params, path=BRAZE)
        again = await server.result("add", params, path=BRAZE)

    assert [each["id"] for each in answer["rejectedRows"]] == [2]
    assert again == answer
    assert workspace.events == [
        {
            "external_id": "7",
            "name": "rented",
            "time": "2026-01-31T09:30:00",
            "properties": {"film": "A&B"},
        }
    ]


async def test_a_wrong_key_fails_the_call_and_is_not_told(serve: Serve) -> None:
    """Braze quotes the key that it refuses; the error does not."""
    async with braze(serve, api_key="canary") as (server, _):
        answer = await server.rpc("add", users(user(0)), path=BRAZE)

    assert answer["error"]["message"].startswith("AUTH_FAILED: ")
    assert "canary" not in str(answer)


async def test_check_asks_for_the_attributes(serve: Serve) -> None:
    """The check of the file passes with the right key."""
    async with braze(serve) as (server, _):
        assert await server.plugin("braze").check() is None
