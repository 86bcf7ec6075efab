"""A caller of a custom destination, as Hightouch is one."""

from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from destination.cli.text import shown
from destination.inflate import InflatedTooLarge, InflateError
from destination.vendor.answers import read
from destination.vendor.transport import AiohttpTransport, TLSError

MAX_ANSWER = 64 * 2**20
"""Bytes of an answer that are read: every row of a large batch may be rejected at length."""

CONNECT_SECONDS = 10.0


class Unreachable(Exception):
    """
    There was no JSON-RPC answer.

    Args:
        where: The URL, without secrets.
        why: What the server did instead, as the rest of a sentence.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where} {why}")
        self.why = why

    @property
    def advice(self) -> str:
        """What to do next, in a sentence."""
        if "credentials" in self.why:
            return "Give the secret as DESTINATION_TOKEN or by --header."
        if "redirect" in self.why:
            return "Give the address that it leads to; Hightouch's users must, too."
        return "Is this the destination's own URL, and is the server running there?"


class NotConnected(Unreachable):
    """There was no connection, so nothing was sent."""


class CallError(Exception):
    """The server answered with a JSON-RPC error."""

    def __init__(self, error: Any) -> None:
        members = error if isinstance(error, dict) else {"message": error}
        self.code = members.get("code")
        super().__init__(f"{shown(self.code, 20)}: {shown(members.get('message'))}")


class Caller:
    """
    JSON-RPC calls to one URL, inside ``async with``.

    Args:
        headers: Sent with each call, such as ``Authorization``; they never stand in a message.
        seconds: How long to wait for an answer.
    """

    def __init__(self, url: str, headers: Mapping[str, str], *, seconds: float = 60.0) -> None:
        self._url = url
        self._where = without_secrets(url)
        self._seconds = seconds
        self._http = httpx.AsyncClient(
            transport=AiohttpTransport(),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **headers},
            timeout=httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds / 2)),
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )
        self._calls = 0

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(exc_type, exc_value, traceback)

    async def call(self, method: str, params: Any) -> Any:
        """
        The result.

        Raises:
            CallError: The answer is a JSON-RPC error.
            Unreachable: There was no JSON-RPC answer, or not with a 2xx status.
        """
        answer, response = await self._exchange(method, params)
        error = response.get("error")
        if not answer.is_success:
            raise Unreachable(self._where, f"{refusal(answer.status_code)}{_told(error)}")
        if error is not None:
            raise CallError(error)
        return response.get("result")

    async def send(self, method: str, params: Any) -> dict[str, Any]:
        """The whole response object, whatever the status. Raises Unreachable."""
        return (await self._exchange(method, params))[1]

    async def _exchange(self, method: str, params: Any) -> tuple[httpx.Response, dict[str, Any]]:
        self._calls += 1
        body = msgspec.json.encode(
            {"jsonrpc": "2.0", "id": str(self._calls), "method": method, "params": params}
        )
        headers = {"Content-Type": "application/json"}
        try:
            async with self._http.stream(
                "POST", self._url, content=body, headers=headers
            ) as answer:
                content = await read(answer, MAX_ANSWER)
        except httpx.ConnectError as error:
            why = "refuses TLS" if isinstance(error, TLSError) else "does not answer"
            raise NotConnected(self._where, f"{why}: there is no connection to it") from None
        except httpx.ConnectTimeout:
            raise NotConnected(self._where, "does not take the connection") from None
        except httpx.TimeoutException:
            raise Unreachable(self._where, f"gave no answer within {self._seconds:g} s") from None
        except httpx.TransportError:
            raise Unreachable(self._where, "broke off before it had answered") from None
        except InflatedTooLarge:
            raise Unreachable(self._where, "answered more than 64 MiB") from None
        except InflateError:
            raise Unreachable(self._where, "answered in an encoding nobody asked for") from None
        return answer, self._response(answer, content)

    def _response(self, answer: httpx.Response, content: bytes) -> dict[str, Any]:
        try:
            response = msgspec.json.decode(content)
        except (ValueError, RecursionError):
            response = None
        if isinstance(response, dict) and {"result", "error"} & response.keys():
            return response
        if not answer.is_success:
            raise Unreachable(self._where, refusal(answer.status_code))
        raise Unreachable(
            self._where,
            f"answered {answer.status_code} with {_kind(answer, content)}, not with JSON-RPC",
        )


def without_secrets(url: str) -> str:
    """The URL without user, password, query and fragment."""
    return str(httpx.URL(url).copy_with(userinfo=b"", query=None, fragment=None))


_MEANINGS = {
    401: "it refused the credentials",
    403: "it refused the credentials, or this caller",
    404: "there is no destination at this address",
    405: "it takes no POST there",
    501: "it takes no POST there",
    413: "the request is too large for it",
    429: "it wants fewer requests",
}


def refusal(status: int) -> str:
    """What a status that is no success says, as the rest of a sentence about the server."""
    if 300 <= status < 400:
        return f"answered {status}, a redirect, which is not followed"
    meaning = _MEANINGS.get(status)
    return f"answered {status}" + (f": {meaning}" if meaning else "")


def _told(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    return f" ({shown(message)})" if message else ""


def _kind(answer: httpx.Response, content: bytes) -> str:
    """What an answer is that is no JSON-RPC."""
    if not content.strip():
        return "nothing"
    if "html" in answer.headers.get("content-type", "").lower():
        return "a web page"
    return "something else"
