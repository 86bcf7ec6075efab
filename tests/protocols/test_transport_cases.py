"""The conformance cases of the transport: what HTTP around JSON-RPC does, on a real socket."""

import asyncio
import gzip
import tracemalloc
import zlib
from typing import Any

import aiohttp
import msgspec
import pytest

from destination import web

SECRET = "s" * 40
BEARER = f"Authorization: Bearer {SECRET}\r\n".encode()
PATH = "/hightouch/people"
LIST_OBJECTS = b'{"jsonrpc":"2.0","id":"1","method":"list_objects"}'
CONFIGURATION = {
    "object": "user",
    "mode": "upsert",
    "identifierMapping": {"from": "email", "to": "email"},
    "mappings": [{"from": "first", "to": "first_name"}],
}


def head(*headers: bytes, method: str = "POST", path: str = PATH) -> bytes:
    """The head of a request; each header ends its own line."""
    return f"{method} {path} HTTP/1.1\r\nHost: here\r\n".encode() + b"".join(headers) + b"\r\n"


def request(body: bytes, *headers: bytes, path: str = PATH) -> bytes:
    """A whole request with the secret."""
    return head(BEARER, b"Content-Length: %d\r\n" % len(body), *headers, path=path) + body


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def add(count: int, *, size: int = 0) -> bytes:
    """A call of ``add`` with so many rows of at least so many bytes."""
    rows = [{"email": f"{n}@x.org", "first": "A", "last": "x" * size, "n": n} for n in range(count)]
    params = {"idColumn": "email", "configuration": CONFIGURATION, "rows": rows}
    return msgspec.json.encode({"jsonrpc": "2.0", "id": "1", "method": "add", "params": params})


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


async def refused(response: aiohttp.ClientResponse, status: int, code: int = -32000) -> Any:
    """The response refuses with this status, in JSON-RPC; gives its message."""
    assert response.status == status
    assert response.content_type == "application/json"
    body = await response.json()
    assert body == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": code, "message": body["error"]["message"]},
    }
    return body["error"]["message"]


async def alive(served: Any) -> bool:
    """The server still answers calls."""
    return len((await served.result("list_objects"))["objects"]) == 2


# Media types ------------------------------------------------------------------------------------


async def test_t01_post_of_json_is_answered_in_json(served: Any) -> None:
    """A POST of JSON gets 200, application/json and the request's id."""
    response = await served.post(LIST_OBJECTS)

    assert response.status == 200
    assert response.content_type == "application/json"
    assert (await response.json())["id"] == "1"
    assert (await response.json())["result"]["objects"][0]["id"] == "user"


@pytest.mark.parametrize(
    "suffix", ["; charset=utf-8", ";charset=UTF-8", '; charset="utf-8"', "; charset=utf8; v=1"]
)
async def test_t02_charset_utf8_is_accepted(served: Any, suffix: str) -> None:
    """The media type may name UTF-8 as its charset."""
    response = await served.post(
        LIST_OBJECTS, headers={"Content-Type": f"application/json{suffix}"}
    )

    assert "result" in await response.json()


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json-rpc",
        "application/jsonrequest",
        "application/vnd.api+json",
        "Application/JSON",
    ],
)
async def test_t03_other_names_of_json_are_accepted(served: Any, media_type: str) -> None:
    """Every media type that means JSON is taken for it."""
    response = await served.post(LIST_OBJECTS, headers={"Content-Type": media_type})

    assert "result" in await response.json()


async def test_t04_content_type_may_be_missing(served: Any, exchange: Any) -> None:
    """A request without a content type is taken for JSON."""
    response = await exchange(served.url, request(LIST_OBJECTS))

    assert response.status == 200
    assert "result" in response.json


@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/xml",
        "application/jsonp",
        "nonsense",
    ],
)
async def test_t05_other_media_types_get_415(served: Any, media_type: str) -> None:
    """A form, a multipart body or any type that is not JSON is refused with 415."""
    response = await served.post(LIST_OBJECTS, headers={"Content-Type": media_type})

    assert "application/json" in await refused(response, 415)


# Methods and paths ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
async def test_t06_other_methods_get_405(served: Any, method: str, path: str) -> None:
    """Every method but POST gets 405, with POST named in Allow."""
    response = await served.http.request(
        method, served.url + path, headers={"Authorization": f"Bearer {SECRET}"}
    )

    await refused(response, 405)
    assert response.headers["Allow"] == "POST"


async def test_t06_head_gets_405_without_a_body(served: Any) -> None:
    """HEAD gets 405 too, and no body, as HTTP demands."""
    response = await served.http.head(
        served.url + PATH, headers={"Authorization": f"Bearer {SECRET}"}
    )

    assert response.status == 405
    assert response.headers["Allow"] == "POST"
    assert await response.read() == b""


async def test_t07_trailing_slash_is_the_same_path(served: Any) -> None:
    """The path may end in a slash."""
    response = await served.post(LIST_OBJECTS, f"{PATH}/")

    assert "result" in await response.json()


async def test_t07_only_destination_answers_at_the_root(served: Any) -> None:
    """With exactly one destination ``POST /`` reaches it."""
    assert "result" in await (await served.post(LIST_OBJECTS, "/")).json()


async def test_t07_root_is_nobody_among_several(serve: Any) -> None:
    """With two destinations ``POST /`` reaches neither."""
    served = await serve({"people": {"kind": "people"}, "bare": {"kind": "bare"}})

    await refused(await served.post(LIST_OBJECTS, "/"), 404)


@pytest.mark.parametrize(
    "path",
    ["/hightouch/peple", "/hightouch", "/nowhere", "/hightouch/people/x", "/hightouch/%2e%2e%2f"],
)
async def test_t08_unknown_path_gets_404_in_json(served: Any, path: str) -> None:
    """A path or a destination that does not exist gets 404 with a JSON-RPC error."""
    await refused(await served.post(LIST_OBJECTS, path), 404)


# Sizes and encodings ----------------------------------------------------------------------------


async def test_t09_body_over_the_limit_gets_413(serve: Any) -> None:
    """A body longer than the limit gets 413 with a JSON-RPC error; the limit itself fits."""
    served = await serve(server={"max_body": 1000})

    await refused(await served.post(LIST_OBJECTS.ljust(1001)), 413)
    assert "result" in await (await served.post(LIST_OBJECTS.ljust(1000))).json()


async def test_t09_chunked_body_over_the_limit_gets_413(serve: Any, exchange: Any) -> None:
    """A body that announces no length is counted while it arrives."""
    served = await serve(server={"max_body": 1000})
    headers = head(BEARER, b"Transfer-Encoding: chunked\r\n")

    response = await exchange(served.url, headers, chunked(*[b" " * 100] * 11))

    assert response.status == 413


async def test_t09_announced_length_over_the_limit_gets_413_at_once(
    served: Any, exchange: Any
) -> None:
    """A length over the limit is refused before a byte of the body has come."""
    response = await exchange(served.url, head(BEARER, b"Content-Length: 99999999999\r\n"))

    assert response.status == 413
    assert response.code == -32000


async def test_t10_two_megabytes_fit_into_the_default_limit(served: Any, exchange: Any) -> None:
    """A body of 2 MB is served."""
    body = add(100, size=20_000)
    assert len(body) > 2_000_000

    response = await exchange(served.url, request(body))

    assert response.json["result"] == {"rejectedRows": []}
    assert len(served.plugin().holds) == 100


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
    ],
)
async def test_t11_compressed_body_is_served(served: Any, encoding: str, encode: Any) -> None:
    """A body may be compressed with gzip or deflate, the latter with or without zlib's header."""
    response = await served.post(encode(add(3)), headers={"Content-Encoding": encoding})

    assert (await response.json())["result"] == {"rejectedRows": []}
    assert len(served.plugin().holds) == 3


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "nonsense"])
async def test_t11_other_encodings_get_415(served: Any, encoding: str) -> None:
    """An encoding that the server cannot take off is refused with 415."""
    response = await served.post(LIST_OBJECTS, headers={"Content-Encoding": encoding})

    assert "gzip" in await refused(response, 415)


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
async def test_t12_bomb_gets_413_in_bounded_memory(serve: Any, encoding: str, wbits: int) -> None:
    """A small body that inflates to 100 times the limit costs no more than a few limits."""
    limit = 1024 * 1024
    compressor = zlib.compressobj(wbits=wbits)
    zeros = bytes(limit)
    bomb = b"".join([compressor.compress(zeros) for _ in range(100)] + [compressor.flush()])
    assert len(bomb) < limit
    served = await serve(server={"max_body": limit})

    tracemalloc.start()
    try:
        response = await served.post(bomb, headers={"Content-Encoding": encoding})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    await refused(response, 413)
    assert peak < 8 * limit


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", LIST_OBJECTS, id="not-gzip"),
        pytest.param("gzip", b"", id="empty"),
        pytest.param("gzip", gzip.compress(LIST_OBJECTS)[:-5], id="cut-short"),
        pytest.param("gzip", gzip.compress(LIST_OBJECTS) + b"garbage", id="trailing-garbage"),
        pytest.param(
            "gzip", gzip.compress(LIST_OBJECTS)[:-8] + bytes(8), id="gzip-with-a-wrong-checksum"
        ),
        pytest.param("gzip", zlib.compress(LIST_OBJECTS), id="zlib-called-gzip"),
        pytest.param("deflate", LIST_OBJECTS, id="not-deflate"),
        pytest.param("deflate", zlib.compress(LIST_OBJECTS)[:-1], id="zlib-cut-short"),
        pytest.param("deflate", raw_deflate(LIST_OBJECTS)[:-3], id="raw-cut-short"),
        pytest.param("deflate", raw_deflate(LIST_OBJECTS) + b"x", id="raw-trailing-garbage"),
    ],
)
async def test_t13_bad_compression_gets_400(served: Any, encoding: str, body: bytes) -> None:
    """A body that is not what its encoding says, or breaks off, or goes on, gets 400."""
    response = await served.post(body, headers={"Content-Encoding": encoding})

    await refused(response, 400, -32700)


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":"\xff","method":"list_objects"}',
        b'{"jsonrpc":"2.0","id":"1","method":"list_objects","x":"\xed\xa0\x80"}',
        b'{"jsonrpc":"2.0","id":"1","method":"list_objects","x":"\xc0\xaf"}',
        b"\xff\xfe\x00",
        LIST_OBJECTS.decode().encode("utf-16"),
        LIST_OBJECTS.decode().encode("utf-32"),
    ],
)
async def test_t14_invalid_utf8_is_a_parse_error(served: Any, body: bytes) -> None:
    """A body that is not UTF-8, even where nobody reads it, gets 200 and -32700."""
    await refused(await served.post(body), 200, -32700)


@pytest.mark.parametrize("charset", ["nonsense", "utf-16", "latin-1", "''", "utf-8x"])
async def test_t15_other_charsets_get_415(served: Any, charset: str) -> None:
    """A charset other than UTF-8, known or not, is refused with 415."""
    response = await served.post(
        LIST_OBJECTS, headers={"Content-Type": f"application/json; charset={charset}"}
    )

    assert "UTF-8" in await refused(response, 415)


async def test_t16_byte_order_mark_is_tolerated(served: Any) -> None:
    """A byte-order mark before the document is skipped."""
    response = await served.post(b"\xef\xbb\xbf" + LIST_OBJECTS)

    assert "result" in await response.json()


async def test_t16_one_byte_order_mark_is_enough(served: Any) -> None:
    """A second byte-order mark is no part of JSON."""
    await refused(await served.post(b"\xef\xbb\xbf" * 2 + LIST_OBJECTS), 200, -32700)


# How the body arrives ---------------------------------------------------------------------------


async def test_t17_chunked_body_is_served(served: Any, exchange: Any) -> None:
    """A body in chunks of one byte, each sent alone, is put together."""
    headers = head(BEARER, b"Transfer-Encoding: chunked\r\n")
    pieces = [b"1\r\n%c\r\n" % byte for byte in LIST_OBJECTS]

    response = await exchange(served.url, headers, *pieces, b"0\r\n\r\n")

    assert response.status == 200
    assert "result" in response.json


async def test_t17_malformed_chunk_gets_400(served: Any, exchange: Any) -> None:
    """A chunk whose size is no number gets 400, and harms nobody else."""
    headers = head(BEARER, b"Transfer-Encoding: chunked\r\n")

    together = await exchange(served.url, headers + b"zz\r\n{}\r\n0\r\n\r\n")
    apart = await exchange(served.url, headers + b"2\r\n{}\r\n", b"zz\r\n{}\r\n0\r\n\r\n")

    assert (together.status, apart.status) == (400, 400)
    assert await alive(served)


async def test_t18_expectation_is_met_before_the_body_is_sent(served: Any, connected: Any) -> None:
    """A caller that expects 100 Continue is invited, and then answered."""
    async with connected(served.url) as wire:
        length = b"Content-Length: %d\r\n" % len(LIST_OBJECTS)
        await wire.send(head(BEARER, length, b"Expect: 100-continue\r\n"))
        interim = await wire.response()
        await wire.send(LIST_OBJECTS)
        final = await wire.response()

    assert (interim.status, final.status) == (100, 200)
    assert "result" in final.json


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((b"Content-Length: 50\r\n",), 401),
        ((BEARER, b"Content-Length: 99999999999\r\n"), 413),
        ((BEARER, b"Content-Length: 50\r\n", b"Content-Type: text/html\r\n"), 415),
    ],
)
async def test_t18_nobody_is_invited_to_send_what_is_refused(
    served: Any, exchange: Any, headers: tuple[bytes, ...], status: int
) -> None:
    """A caller that expects 100 Continue and would be refused is refused at once."""
    response = await exchange(served.url, head(*headers, b"Expect: 100-continue\r\n"))

    assert response.status == status


async def test_t18_other_expectations_get_417(served: Any, exchange: Any) -> None:
    """An expectation that is not 100-continue is refused in JSON-RPC, after the secret."""
    wanted = b"Expect: a-miracle\r\n"

    stranger = await exchange(served.url, head(wanted, b"Content-Length: 0\r\n"))
    friend = await exchange(served.url, request(LIST_OBJECTS, wanted))

    assert stranger.status == 401
    assert (friend.status, friend.code) == (417, -32000)


async def test_body_that_does_not_come_gets_408(
    served: Any, exchange: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that stays away is waited for only so long."""
    monkeypatch.setattr(web, "BODY_SECONDS", 0.2)

    response = await exchange(served.url, head(BEARER, b"Content-Length: 1000\r\n") + b'{"json')

    assert (response.status, response.code) == (408, -32000)
    assert response.headers["Connection"] == "close"


async def test_body_that_breaks_off_is_nobodys_trouble(
    served: Any, connected: Any, logged: Any
) -> None:
    """A caller that hangs up inside its body leaves no call, no traceback and no bug behind."""
    async with connected(served.url) as wire:
        await wire.send(head(BEARER, b"Content-Length: 1000\r\n") + add(1)[:100])
        await wire.abort()
    async with asyncio.timeout(10):
        while '"status":400' not in logged():  # noqa: ASYNC110 - only the log shows it
            await asyncio.sleep(0.01)

    assert await alive(served)
    assert served.plugin().batches == []
    assert "bug.caught" not in logged()
    assert "Traceback" not in logged()


async def test_connection_is_kept_and_calls_in_a_row_are_answered_in_order(
    served: Any, connected: Any
) -> None:
    """Calls sent one after the other on one connection, errors among them, come back in order."""
    bodies = [b'{"jsonrpc":"2.0","id":%d,"method":"list_objects"}' % n for n in range(3)]
    bodies.insert(1, b"{broken")
    async with connected(served.url) as wire:
        await wire.send(b"".join(map(request, bodies)))
        ids = [(await wire.response()).id for _ in bodies]

    assert ids == [b"0", b"null", b"1", b"2"]


# Secrets ----------------------------------------------------------------------------------------


async def test_t19_missing_secret_gets_401(served: Any) -> None:
    """Without a secret the answer is 401, a challenge and a JSON-RPC error."""
    response = await served.post(LIST_OBJECTS, headers={"Authorization": None})

    assert "Authorization: Bearer" in await refused(response, 401)
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/", PATH, f"{PATH}/", "/nowhere", "/hightouch/nobody"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_t19_secret_comes_before_everything_else(served: Any, method: str, path: str) -> None:
    """A stranger cannot find out which paths, destinations and methods there are."""
    response = await served.http.request(method, served.url + path, data=b"{broken")

    await refused(response, 401)


async def test_t19_secret_comes_before_the_body(served: Any, exchange: Any) -> None:
    """A stranger gets 401 at once, although it announced a body and sent none of it."""
    for length in (b"1000", b"99999999999"):
        response = await exchange(served.url, head(b"Content-Length: %s\r\n" % length))

        assert (response.status, response.code) == (401, -32000)
        assert response.headers["Connection"] == "close"


WRONG = [
    pytest.param(b"Authorization: Bearer wrong\r\n", id="wrong"),
    pytest.param(b"Authorization: Bearer " + b"s" * 39 + b"\r\n", id="prefix"),
    pytest.param(b"Authorization: Bearer " + b"s" * 41 + b"\r\n", id="longer"),
    pytest.param(b"Authorization: Bearer " + b"S" * 40 + b"\r\n", id="case"),
    pytest.param(b"Authorization: Bearer\r\n", id="nothing-after-scheme"),
    pytest.param(b"Authorization: Bearer \r\n", id="blank-after-scheme"),
    pytest.param(b"Authorization:\r\n", id="empty"),
    pytest.param(b"Authorization: Basic " + b"s" * 40 + b"\r\n", id="basic"),
    pytest.param(b"Authorization: " + b"s" * 40 + b"\r\n", id="no-scheme"),
    pytest.param(b"Authorization: Bearer" + b"s" * 40 + b"\r\n", id="no-space"),
    pytest.param("Authorization: Bearer ÿé😀\r\n".encode(), id="unicode"),
    pytest.param(b"Authorization: Bearer \xff\xfe\x80\r\n", id="not-unicode"),
    pytest.param(b"Authorization: Bearer " + b"x" * 8000 + b"\r\n", id="8-kB"),
    pytest.param(BEARER + b"Authorization: Bearer wrong\r\n", id="one-of-two"),
    pytest.param(BEARER + BEARER, id="twice"),
    pytest.param(b"X-Api-Key: wrong\r\n", id="key-wrong"),
    pytest.param(b"X-Api-Key:\r\n", id="key-empty"),
    pytest.param(b"X-Api-Key: Bearer " + b"s" * 40 + b"\r\n", id="key-with-scheme"),
    pytest.param(b"Cookie: token=" + b"s" * 40 + b"\r\n", id="cookie"),
    pytest.param(b"Proxy-Authorization: Bearer " + b"s" * 40 + b"\r\n", id="proxy"),
]


@pytest.mark.parametrize("headers", WRONG)
async def test_t20_wrong_secret_gets_401(served: Any, exchange: Any, headers: bytes) -> None:
    """Anything but the secret itself in one well-formed header gets 401."""
    length = b"Content-Length: %d\r\n" % len(LIST_OBJECTS)

    response = await exchange(served.url, head(headers, length) + LIST_OBJECTS)

    assert (response.status, response.code) == (401, -32000)
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert b"result" not in response.body


@pytest.mark.parametrize(
    "scheme", [b"Bearer ", b"bearer ", b"BEARER ", b"Bearer   "], ids=["", "lower", "upper", "wide"]
)
async def test_t20_scheme_may_be_written_in_any_case(
    served: Any, exchange: Any, scheme: bytes
) -> None:
    """The scheme's case and the blanks after it do not matter, as HTTP has it."""
    authorization = b"authorization: " + scheme + SECRET.encode() + b"\r\n"
    length = b"Content-Length: %d\r\n" % len(LIST_OBJECTS)

    response = await exchange(served.url, head(authorization, length) + LIST_OBJECTS)

    assert response.status == 200


async def test_t21_custom_header_carries_the_secret(served: Any) -> None:
    """The secret may come in X-Api-Key instead, where a form offers only plain headers."""
    headers = {"Authorization": None, "X-Api-Key": SECRET}

    assert "result" in await (await served.post(LIST_OBJECTS, headers=headers)).json()


async def test_t21_right_key_beside_a_wrong_bearer_is_enough(served: Any) -> None:
    """One right secret is enough, such as behind a proxy with an authorization of its own."""
    headers = {"Authorization": "Basic dTpw", "X-Api-Key": SECRET}

    assert "result" in await (await served.post(LIST_OBJECTS, headers=headers)).json()


@pytest.mark.parametrize("name", ["token", "api_key", "access_token", "key", "secret"])
async def test_t22_secret_in_the_query_string_is_refused_and_not_logged(
    served: Any, logged: Any, name: str
) -> None:
    """A secret in the address does not let anybody in, and does not reach the log."""
    response = await served.post(
        LIST_OBJECTS, f"{PATH}?{name}={SECRET}", headers={"Authorization": None}
    )

    await refused(response, 401)
    assert '"status":401' in logged()
    assert SECRET not in logged()
    assert name + "=" not in logged()


async def test_t22_path_is_logged_as_its_route(served: Any, logged: Any) -> None:
    """A secret pasted into the path, or a query beside a right secret, does not reach the log."""
    await served.post(LIST_OBJECTS, f"/hightouch/{SECRET}")
    await served.post(LIST_OBJECTS, f"/nowhere/{SECRET}")
    await served.post(LIST_OBJECTS, f"{PATH}?password={SECRET}")

    assert logged().count("request.answered") == 3
    assert SECRET not in logged()


async def test_t23_two_secrets_are_valid_while_rotating(serve: Any) -> None:
    """Of several secrets, separated by commas, each lets in; all of them together do not."""
    old, new = "o" * 32, "n" * 32
    served = await serve(destination_token=f"{old}, {new}")

    async def status(secret: str) -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        code: int = (await served.post(LIST_OBJECTS, headers=headers)).status
        return code

    assert (await status(old), await status(new)) == (200, 200)
    assert (await status(f"{old}, {new}"), await status(f"{old},{new}")) == (401, 401)
    assert await status(SECRET) == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_t24_health_needs_no_secret_and_shows_none(served: Any, path: str) -> None:
    """Health is told to anybody, and says nothing about the destinations."""
    response = await served.http.get(served.url + path)

    assert response.status == 200
    body = await response.text()
    assert SECRET not in body
    assert "people" not in body


async def test_index_shows_names_but_no_settings(serve: Any) -> None:
    """The list of destinations needs the secret, and shows none of their settings."""
    served = await serve({"people": {"kind": "people", "refuse": ["hidden-setting"]}})
    headers = {"Authorization": f"Bearer {SECRET}"}

    response = await served.http.get(served.url + "/", headers=headers)

    assert "hidden-setting" not in await response.text()
    assert await response.json() == {
        "destinations": [{"name": "people", "kind": "people", "url": PATH}]
    }


async def test_secrets_and_rows_reach_neither_answers_nor_the_log(served: Any, logged: Any) -> None:
    """Over good, refused and broken calls, no secret and no row value reaches the log."""
    served.plugin().settings.refuse.append("1@x.org")
    for body in (add(3), add(3)[:-9], b"[%s]" % add(2), b"{broken", LIST_OBJECTS):
        for headers in ({}, {"Authorization": f"Bearer {SECRET}x"}, {"X-Api-Key": SECRET}):
            response = await served.post(body, headers=headers)
            assert SECRET not in await response.text()

    assert '"status":200' in logged()
    assert '"status":401' in logged()
    assert "rows.answered" in logged()
    for hidden in (SECRET, "@x.org", "first_name"):
        assert hidden not in logged()


# What a connection may do -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"X-Api-Key: " + b"s" * 100_000 + b"\r\n", id="too-large"),
        pytest.param(b"X-Padding: %s\r\n" % (b"x" * 1000) * 1000, id="too-many"),
        pytest.param(b"no colon " + SECRET.encode() + b"\r\n", id="no-colon"),
        pytest.param(b"X-Api-Key: %s\0\r\n" % SECRET.encode(), id="null-byte"),
        pytest.param(BEARER + b"Content-Length: ten\r\n", id="length-not-a-number"),
        pytest.param(BEARER + b"Content-Length: -1\r\n", id="length-negative"),
        pytest.param(BEARER + b"Content-Length: 1\r\nContent-Length: 2\r\n", id="two-lengths"),
        pytest.param(
            BEARER + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", id="smuggling"
        ),
    ],
)
async def test_malformed_head_gets_an_error_and_the_connection_ends(
    served: Any, connected: Any, logged: Any, headers: bytes
) -> None:
    """A head that is too large or makes no sense gets 400, is not logged, and harms nobody."""
    async with connected(served.url) as wire:
        await wire.send(head(headers))
        response = await wire.response()
        assert response.status == 400
        assert b"<" not in response.body
        assert await wire.closed()

    assert await alive(served)
    assert SECRET not in logged()
    assert "s" * 100 not in logged()


async def test_something_that_is_not_http_harms_nobody(served: Any, connected: Any) -> None:
    """Bytes that are no HTTP, such as the start of TLS, end the connection and nothing else."""
    for nonsense in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\r\n" * 50 + b"x\r\n\r\n",
    ):
        async with connected(served.url) as wire:
            await wire.send(nonsense)
            assert (await wire.response()).status == 400
            assert await wire.closed()

    assert await alive(served)


async def test_t25_batch_finishes_after_the_caller_hangs_up(
    served: Any, connected: Any, logged: Any
) -> None:
    """A call whose caller hangs up is delivered to its end, quietly, and may be sent again."""
    plugin, started, released, done = served.plugin(), *(asyncio.Event() for _ in range(3))

    async def slow(batch: Any) -> Any:
        started.set()
        await released.wait()
        plugin.holds |= {record.id: record.fields for record in batch.records}
        if len(plugin.holds) == 9:
            done.set()
        return ()

    plugin.on_deliver = slow
    async with connected(served.url) as wire:
        await wire.send(request(add(9)))
        await started.wait()
        await wire.abort()
    assert await alive(served)
    released.set()
    async with asyncio.timeout(10):
        await done.wait()
    again = await (await served.post(add(9))).json()

    assert again["result"] == {"rejectedRows": []}
    assert len(plugin.holds) == 9
    assert logged().count("rows.answered") == 2
    assert "Traceback" not in logged()
    assert '"level":"error"' not in logged()


# The request's id -------------------------------------------------------------------------------


async def test_sane_request_id_of_the_caller_is_used(served: Any, logged: Any) -> None:
    """The caller's X-Request-Id comes back, and stands in the log."""
    response = await served.post(LIST_OBJECTS, headers={"X-Request-Id": "run-7:batch.3_a"})

    assert response.headers["X-Request-Id"] == "run-7:batch.3_a"
    assert '"request_id":"run-7:batch.3_a"' in logged()


@pytest.mark.parametrize("given", [b"x" * 65, b"a b", b"\xff", b'"}', b"<i>", b""])
async def test_odd_request_id_is_replaced(
    served: Any, exchange: Any, logged: Any, given: bytes
) -> None:
    """An id that is too long, or could mean something in a log, is replaced by one of ours."""
    response = await exchange(
        served.url, request(LIST_OBJECTS, b"X-Request-Id: " + given + b"\r\n")
    )

    assert len(response.headers["X-Request-Id"]) == 16
    assert f'"request_id":"{response.headers["X-Request-Id"]}"' in logged()
