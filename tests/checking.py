"""``destination check`` as a person runs it, and a vendor for it whose every answer a test sets."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from click.testing import CliRunner

from destination.cli.check import check_command
from destination.listen import listening

PLATFORMS = ("DYNO", "RENDER", "K_SERVICE", "FLY_APP_NAME")
VARIABLES = ("HOST", "PORT", "SERVER", "DESTINATION_TOKEN", "DESTINATION_CONFIG", *PLATFORMS)
"""What a test's own surroundings must not say."""


@dataclass
class Told:
    """What the command printed as JSON, and its exit code."""

    code: int
    findings: list[dict[str, Any]]

    def of(self, check: str, name: str | None = "crm") -> list[tuple[str, str]]:
        """Outcome and sentence of each finding about this."""
        return [
            (each["outcome"], each["says"])
            for each in self.findings
            if (each["name"], each["check"]) == (name, check)
        ]

    @property
    def wrong(self) -> list[tuple[str, str]]:
        """What is not ok."""
        found = ((each["outcome"], each["says"]) for each in self.findings)
        return [each for each in found if each[0] != "ok"]


async def check(folder: Path, *names: str, **environment: str) -> Told:
    """The command in this process, beside the servers of the loop that runs."""
    done = await asyncio.to_thread(_run, folder, ["--json", *names], environment)
    return Told(done.exit_code, json.loads(done.stdout) if done.stdout else [])


async def plainly(folder: Path, *names: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, output and errors as a person reads them."""
    done = await asyncio.to_thread(_run, folder, list(names), environment)
    return done.exit_code, done.stdout, done.stderr


def _run(folder: Path, arguments: list[str], environment: Mapping[str, str]) -> Any:
    unset = dict.fromkeys(VARIABLES) | {"DESTINATIONS": None, "STATE_URL": None}
    url = {"STATE_URL": f"sqlite:///{folder / 'state.db'}"}
    return CliRunner().invoke(check_command, arguments, env={**unset, **url, **environment})


async def checked(folder: Path, values: Mapping[str, Any], **environment: str) -> Told:
    """What is found of one destination, called crm."""
    return await check(folder, DESTINATIONS=json.dumps({"crm": values}), **environment)


@dataclass
class Vendor:
    """A receiver that takes everything, with headers of the test's choice."""

    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=lambda: {"access_token": "t1"})
    """What its token endpoint answers."""

    def webhook(self, **more: Any) -> dict[str, Any]:
        """The settings of a webhook to it."""
        return {
            "kind": "webhook",
            "url": f"{self.url}/rows",
            "allow_private_networks": True,
            **more,
        }

    async def answer(self, request: web.Request) -> web.Response:
        """Yes, or a token."""
        told = self.token if request.path == "/token" else {}
        return web.json_response(told, headers=self.headers)


@asynccontextmanager
async def vendor() -> AsyncIterator[Vendor]:
    """The receiver, on a socket."""
    made, app = Vendor(), web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    async with listening(app, "127.0.0.1", 0, grace=0.1) as made.url:
        yield made
