"""A custom destination as the documentation reads: jsonrpcserver within aiohttp, nothing more."""

import os

from aiohttp import web
from jsonrpcserver import Result, Success, async_dispatch, method

CONTACTS: dict[str, dict[str, object]] = {}


def put(email: str, contact: dict[str, object]) -> None:
    """The vendor, in memory."""
    if "@" not in email:
        raise ValueError(f"{email} is not an address")
    CONTACTS[email.lower()] = contact


@method
async def list_objects() -> Result:
    return Success({"objects": None})


@method
async def list_modes(object: str | None = None) -> Result:
    upsert = {"id": "upsert", "label": "Upsert", "description": "Adds and updates contacts."}
    return Success({"modes": [upsert]})


@method
async def list_fields(object: str | None = None, mode: str | None = None) -> Result:
    email = {"id": "email", "label": "Email address", "type": "STRING", "identifier": True}
    first_name = {"id": "first_name", "label": "First name", "type": "STRING"}
    last_name = {"id": "last_name", "label": "Last name", "type": "STRING"}
    return Success({"fields": [email, first_name, last_name]})


@method
async def list_options(object: str | None = None, mode: str | None = None) -> Result:
    return Success({"options": None})


@method
async def validate(configuration: dict) -> Result:
    return Success({"errors": []})


@method
async def behavior() -> Result:
    operations = {"add": True, "change": True, "remove": True}
    return Success({"batchSize": 100, "operations": operations, "skipInitialRun": False})


def upsert(idColumn: str, configuration: dict, rows: list[dict]) -> Result:  # noqa: N803
    [identifier] = configuration["identifierMapping"]
    rejected = []
    for row in rows:
        contact = {each["to"]: row[each["from"]] for each in configuration["mappings"]}
        try:
            put(row[identifier["from"]], contact)
        except ValueError as error:
            rejected.append({"id": row[idColumn], "reason": str(error)})
    return Success({"rejectedRows": rejected})


@method
async def add(idColumn: str, configuration: dict, rows: list[dict]) -> Result:  # noqa: N803
    return upsert(idColumn, configuration, rows)


@method
async def change(idColumn: str, configuration: dict, rows: list[dict]) -> Result:  # noqa: N803
    return upsert(idColumn, configuration, rows)


@method
async def remove(idColumn: str, configuration: dict, rows: list[dict]) -> Result:  # noqa: N803
    [identifier] = configuration["identifierMapping"]
    for row in rows:
        CONTACTS.pop(row[identifier["from"]].lower(), None)
    return Success({"rejectedRows": []})


async def handle(request: web.Request) -> web.Response:
    answer = await async_dispatch(await request.text())
    return web.Response(text=answer, content_type="application/json")


if __name__ == "__main__":
    app = web.Application()
    app.router.add_post("/", handle)
    port = int(os.environ.get("PORT", "8102"))
    web.run_app(app, host="127.0.0.1", port=port)
