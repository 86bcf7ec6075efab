"""An API key becomes a refresh token, and that becomes tokens for the REST API."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from raw_server import nobody
from segment_stage import Stage, member, stage

from destination.testing.clock import run_virtually

T = TypeVar("T")

DAY = 86400
TOKEN, AUTHENTICATE = "POST /users/token", "POST /users/authenticate"


def story(tell: Callable[[Stage], Awaitable[T]], **made: Any) -> T:
    """What is told of the kind and its stand-in, which is made so; in virtual time."""

    async def told() -> T:
        async with stage("facts", by_key=True, **made) as segment:
            return await tell(segment)

    return run_virtually(told())


async def users(segment: Stage) -> list[str]:
    """What keys and refresh tokens were shown for."""
    return [line for line in await segment.asked() if "/users/" in line]


def test_one_token_serves_all_rows():
    """However many rows wait, key and refresh token are shown once."""

    async def tell(segment: Stage) -> None:
        assert await segment.call("add", *(member(n) for n in range(50))) == {}
        assert await users(segment) == [AUTHENTICATE, TOKEN]

    story(tell)


def test_a_token_is_renewed_before_it_lapses():
    """By the refresh token while that is good, and by the key afterwards; no row is refused."""

    async def tell(segment: Stage) -> None:
        for n in range(6):
            assert await segment.call("add", member(n)) == {}
            await asyncio.sleep(DAY - 20)

        assert await users(segment) == [AUTHENTICATE, TOKEN, TOKEN] * 3
        log = (await segment.ask("requests"))["log"]
        assert Counter(line["status"] for line in log) == {200: len(log)}

    story(tell)


def test_a_token_that_is_withdrawn_is_renewed_once_for_all():
    """A 401 brings another by the same refresh token, and the rows arrive."""

    async def tell(segment: Stage) -> None:
        await segment.call("add", member(0))
        await segment.ask("token", "DELETE")
        assert await segment.call("add", *(member(n) for n in range(1, 30))) == {}

        assert await users(segment) == [AUTHENTICATE, TOKEN, TOKEN]
        assert len(await segment.held()) == 30

    story(tell)


def test_a_refresh_token_that_is_withdrawn_is_replaced():
    """The key is shown again, and no row notices."""

    async def tell(segment: Stage) -> None:
        await segment.call("add", member(0))
        await segment.ask("token", "DELETE")
        await segment.ask("refreshToken", "DELETE")
        assert await segment.call("add", *(member(n) for n in range(1, 30))) == {}

        assert await users(segment) == [AUTHENTICATE, TOKEN, TOKEN, AUTHENTICATE, TOKEN]

    story(tell)


def test_a_key_that_is_not_known_stops_the_call():
    """A person must act; nothing of the rows was sent."""

    async def tell(segment: Stage) -> None:
        answer = await segment.send("add", *(member(n) for n in range(30)))
        assert answer["error"]["code"] == -32001
        assert answer["error"]["message"] == (
            "AUTH_FAILED: not sent: no access token: the token endpoint answered 401: "
            "it refused the credentials"
        )
        assert set(await segment.asked()) == {AUTHENTICATE}

    story(tell, settings={"api_key": "wrong"})


def test_a_token_that_is_refused_at_once_does_not_loop():
    """It is renewed once; then the call fails."""

    async def tell(segment: Stage) -> None:
        answer = await segment.send("add", member(1))
        assert answer["error"]["message"].startswith("AUTH_FAILED: invalid credentials: ")
        assert len(await segment.asked()) == 5

    story(tell, settings={"site_id": 99})


def test_the_step_that_was_taken_is_kept():
    """A slow users' service is asked on at the next attempt, not from the beginning."""

    async def tell(segment: Stage) -> None:
        await segment.ask("behavior", latency=1.0)
        assert await segment.call("add", member(1)) == {}
        assert (await users(segment)).count(AUTHENTICATE) == 1

    story(tell)


def test_a_users_service_that_is_not_there_is_told():
    """Rows are rejected as not sent, and the next run may mend it."""

    async def tell(segment: Stage) -> None:
        reasons = await segment.call("add", member(1))
        assert reasons == {1: "CONNECT_FAILED: not sent: could not connect to the token endpoint"}

    story(tell, settings={"auth_url": nobody()})
