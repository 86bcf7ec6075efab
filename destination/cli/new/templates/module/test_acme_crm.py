"""
Acme Crm passes what every destination must.

Beside pytest, ``python test_acme_crm.py`` has the stand-in run at http://127.0.0.1:8001.
"""

from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web
from aiohttp.typedefs import Handler

from destination.testing.contract import DestinationContract, Subject, rejected

MODULE = Path(__file__).with_name("acme_crm.py")


class StandIn:
    """
    Plays Acme Crm over real sockets, by what its documentation says.

    It keeps people by their addresses, and refuses names of more than 100 letters.

    Args:
        token: What every request must carry.
    """

    def __init__(self, token: str = "stand-in") -> None:
        self.token = token
        self.people: dict[str, Any] = {}

    def app(self) -> web.Application:
        """The server."""
        app = web.Application(middlewares=[self._gate])
        app.router.add_get("/me", self._me)
        app.router.add_post("/people", self._save)
        app.router.add_delete("/people/{email}", self._delete)
        return app

    def settings(self, base_url: str) -> dict[str, Any]:
        """The settings of a destination that delivers here."""
        return {
            "kind": "acme-crm",
            "module": str(MODULE),
            "token": self.token,
            "base_url": base_url,
            "allow_private_networks": True,
        }

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized
        return await handler(request)

    async def _me(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def _save(self, request: web.Request) -> web.Response:
        results = [self._saved(person) for person in (await request.json())["people"]]
        return web.json_response({"results": results})

    def _saved(self, person: dict[str, Any]) -> dict[str, str]:
        if len(person.get("name") or "") > 100:
            return {"status": "refused", "reason": f"{person['name']} is too long"}
        self.people[person["email"]] = person
        return {"status": "saved"}

    async def _delete(self, request: web.Request) -> web.Response:
        person = self.people.pop(request.match_info["email"], None)
        return web.Response(status=204 if person else 404)


class TestAcmeCrm(DestinationContract):
    """The contract's tests, and those that only this destination needs."""

    required = "mail"
    harmless = True
    configuration: ClassVar = {
        "mode": "mirror",
        "identifierMapping": [{"from": "mail", "to": "email"}],
        "mappings": [{"from": "first", "to": "name"}],
    }

    def vendor(self, **how: Any) -> StandIn:
        """The stand-in, for each test a new one."""
        return StandIn(**how)

    def rows(self, count: int) -> list[dict[str, Any]]:
        """So many people."""
        return [{"id": n, "mail": f"ann{n}@example.org", "first": f"Ann {n}"} for n in range(count)]

    def test_who_is_refused_harms_no_other(self) -> None:
        """The reason is the vendor's, without the row's value."""
        rows = self.rows(3)
        rows[1]["first"] = "Ann" * 50

        async def scenario(subject: Subject) -> Any:
            return await subject.call("add", rows)

        [(id, reason)] = rejected(self.play(scenario)).items()
        assert id == rows[1]["id"]
        assert reason.startswith("VENDOR_REJECTED: Acme Crm")
        assert reason.endswith("[first] is too long")

    def test_an_answer_about_fewer_people_delivers_none(self) -> None:
        """Without a result for each nobody knows whose are missing."""

        async def scenario(subject: Subject) -> Any:
            await subject.call("add", self.rows(1))
            subject.between.answer(200, content=b'{"results": [{"status": "saved"}]}')
            return await subject.call("add", self.rows(3)[1:])

        reasons = rejected(self.play(scenario)).values()
        assert [reason.partition(":")[0] for reason in reasons] == ["OUTCOME_UNKNOWN"] * 2


if __name__ == "__main__":
    web.run_app(StandIn().app(), host="127.0.0.1", port=8001)
