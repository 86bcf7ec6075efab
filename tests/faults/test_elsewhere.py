"""Rows and credentials go to the vendor and nowhere else: F05, F06, F69, X1, X3 and X4."""

import asyncio
import json
import socket
import ssl
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from types import SimpleNamespace

import aiohttp
import aiohttp.connector
import certificates
import httpx
import pytest
import trustme
from raw_server import OK, raw
from scene import SYNC, rows, server_process
from support import BEARER

from destination.errors import ConfigError
from destination.testing import answers
from destination.testing.proxy import proxy
from destination.vendor import addresses
from destination.vendor.transport import AiohttpTransport

BLOCKED = (
    "BLOCKED_URL: not sent: the address is not public; allow_private_networks = true permits it"
)
TLS = "TLS_ERROR: not sent: the vendor's TLS certificate or handshake was refused"
STAND_IN = "127.0.0.1"
"""Counts as public in tests that need a public vendor: no real one is ever dialled."""
PRIVATE = "127.0.0.2"
TOKEN = "t0ken-of-the-vendor"


@asynccontextmanager
async def listener(host="127.0.0.1", port=0):
    """Somebody on this machine who must not be reached; counts who connects."""
    seen = SimpleNamespace(connections=0, port=port)

    def connected(reader, writer):
        seen.connections += 1
        writer.transport.abort()

    server = await asyncio.start_server(connected, host, port)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:
        yield seen


@contextmanager
def handshakes(shown):
    """
    A server that does nothing but handshakes, and notes how they end.

    It says why it refuses one, as most servers do; asyncio's just ends the connection.
    """
    place = socket.create_server(("127.0.0.1", 0))
    made = SimpleNamespace(port=place.getsockname()[1], outcomes=[], over=threading.Semaphore(0))

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = place.accept()
                with connection:
                    try:
                        shown.wrap_socket(connection, server_side=True).close()
                        made.outcomes.append("")
                    except ssl.SSLError as error:
                        made.outcomes.append(error.reason)
                made.over.release()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield made
    finally:
        place.shutdown(socket.SHUT_RDWR)
        place.close()
        thread.join()


@pytest.fixture
def a_public_vendor(monkeypatch):
    """One address of loopback stands for a public one, and the others do not."""
    others = addresses.is_public
    monkeypatch.setattr(
        addresses, "is_public", lambda address: address == STAND_IN or others(address)
    )


class TestNames:
    """F05, X1: a name stands for whatever its owner likes."""

    @pytest.mark.parametrize(
        "found",
        [
            [PRIVATE],
            [STAND_IN, PRIVATE],
            [PRIVATE, STAND_IN],
            [STAND_IN, "::1"],
            [STAND_IN, "::ffff:127.0.0.1"],
            [STAND_IN, "fe80::1%lo"],
            [STAND_IN, STAND_IN, "169.254.169.254"],
        ],
        ids=["private", "mixed", "private-first", "ipv6", "mapped", "zone", "metadata"],
    )
    async def test_f05_one_address_that_is_private_blocks_a_name(
        self, stage, names, ours, found, a_public_vendor
    ):
        """None of its addresses is dialled, the public ones neither, and nothing is tried again."""
        names.found["vendor.example"] = found
        scene = await stage(
            host="vendor.example", tls=certificates.good(ours), allow_private_networks=False
        )

        async with listener(PRIVATE, scene.proxy.port) as private:
            answer = await scene.call("add", rows(3))

        assert answer.rejected == dict.fromkeys((1, 2, 3), BLOCKED)
        assert scene.attempts() == {"BLOCKED_URL": 3}
        assert (scene.proxy.connections, private.connections) == (0, 0)

    async def test_f05_a_name_that_becomes_private_is_blocked(
        self, stage, names, monkeypatch, a_public_vendor
    ):
        """A name is judged at each connection, by the lookup that the connection is made with."""
        names.found["vendor.example"] = [STAND_IN]
        authority = trustme.CA()
        monkeypatch.setattr(
            "destination.vendor.transport.trusted", certificates.believing(authority)
        )
        shown = certificates.shown(authority.issue_cert("vendor.example"))
        scene = await stage(host="vendor.example", tls=shown, allow_private_networks=False)
        later = 0.0
        monkeypatch.setattr(aiohttp.connector, "monotonic", lambda: time.monotonic() + later)
        assert (await scene.call("add", rows(3))).rejected == {}

        names.found["vendor.example"] = [PRIVATE]
        later = 60.0  # what was looked up, and who was connected, is forgotten by then
        async with listener(PRIVATE, scene.proxy.port) as private:
            answer = await scene.call("add", rows(3, 11))

        assert answer.rejected == dict.fromkeys((11, 12, 13), BLOCKED)
        assert private.connections == 0
        names.found["vendor.example"] = [STAND_IN]
        await scene.heals()

    async def test_f05_what_was_checked_is_what_is_dialled(
        self, stage, names, monkeypatch, a_public_vendor
    ):
        """A name that answers differently each time is looked up once for a connection."""
        flips = iter([[STAND_IN], *([PRIVATE],) * 50])
        monkeypatch.setattr(
            "destination.vendor.resolver.lookup",
            lambda host, port, family: [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in next(flips)
            ],
        )
        authority = trustme.CA()
        monkeypatch.setattr(
            "destination.vendor.transport.trusted", certificates.believing(authority)
        )
        shown = certificates.shown(authority.issue_cert("vendor.example"))
        scene = await stage(host="vendor.example", tls=shown, allow_private_networks=False)

        async with listener(PRIVATE, scene.proxy.port) as private:
            answer = await scene.call("add", rows(20))

        assert answer.rejected == {}
        assert private.connections == 0
        await scene.heals()

    @pytest.mark.parametrize(
        "host",
        [
            "2130706433",
            "127.1",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "0",
            "0.0.0.0",
            "127.0.0.1.",
            "localhost",
            "localhost.",
            "LOCALHOST",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[::1%25lo]",
            "[fe80::1%25lo]",
            "127\u30020\u30020\u30021",
            "\uff11\uff12\uff17.0.0.1",
            "\u2460\u2461\u2466.0.0.1",
            "vendor.example@127.0.0.1",
            "vendor.example:443@127.0.0.1",
            "vendor.example%40127.0.0.1",
            "127.0.0.1%2f",
            "127.0.0.1\\@vendor.example",
            "127.0.0.1%00.vendor.example",
        ],
    )
    async def test_x1_no_spelling_of_loopback_is_reached(self, serve, host):
        """It is refused as a setting or when it is dialled; nobody there sees a connection."""
        async with listener() as four, listener("::1", four.port) as six:
            url = f"https://{host}:{four.port}/rows"
            try:
                served = await serve({"hook": {"kind": "webhook", "url": url}})
            except ConfigError:
                served = None  # it does not start with such a setting
            if served is not None:
                params = {"configuration": SYNC, "rows": rows(1), "idColumn": "id"}
                result = await served.result("add", params, path="/hightouch/hook")
                [rejected] = result["rejectedRows"]
                assert rejected["reason"].partition(":")[0] in ("BLOCKED_URL", "CONNECT_FAILED")

        assert (four.connections, six.connections) == (0, 0)

    @pytest.mark.parametrize(
        "authority",
        [
            "vendor.example@127.0.0.1",
            "vendor.example:x@127.0.0.1",
            "localhost.",
            "127.0.0.1.",
            "127\u30020\u30020\u30021",
            "[::1%25lo]",
        ],
    )
    async def test_x1_no_request_reaches_it_either(self, authority):
        """An address that a destination makes itself is checked when it is dialled."""
        async with (
            listener() as four,
            listener("::1", four.port) as six,
            httpx.AsyncClient(transport=AiohttpTransport(public_only=True)) as http,
        ):
            with pytest.raises((httpx.TransportError, httpx.InvalidURL)):
                await http.post(f"https://{authority}:{four.port}/", content=b"secret", timeout=3)

        assert (four.connections, six.connections) == (0, 0)


class TestCertificates:
    """F06, X4: who the vendor is, is proven before a byte of a row goes out."""

    @pytest.mark.parametrize(
        "bad",
        [
            certificates.expired,
            certificates.not_yet_valid,
            certificates.of_nobody_known,
            certificates.self_signed,
            certificates.of_another_name,
        ],
        ids=lambda bad: bad.__name__,
    )
    async def test_f06_a_bad_certificate_is_refused(self, stage, ours, bad):
        """The row is rejected after one attempt, and nothing but a handshake was seen."""
        shown = bad(ours)
        scene = await stage(tls=shown, auth={"scheme": "bearer", "token": TOKEN})

        answer = await scene.call("add", rows(1))

        assert answer.rejected == {1: TLS}
        assert scene.attempts() == {"TLS_ERROR": 1}
        assert (scene.proxy.connections, scene.inside.received) == (1, 0)
        await asyncio.wait_for(scene.inside.over(), 5)
        certificates.mended(shown, ours)
        await scene.heals()

    async def test_f06_an_old_protocol_is_refused(self, stage, ours):
        """TLS 1.1 is no TLS, whatever certificate comes with it."""
        scene = await stage(tls=certificates.good(ours))
        today = scene.proxy.upstream
        with handshakes(certificates.old(ours)) as old:
            scene.proxy.upstream = ("127.0.0.1", old.port)
            answer = await scene.call("add", rows(1))
            await asyncio.to_thread(old.over.acquire, timeout=5)

        assert answer.rejected == {1: TLS}
        assert scene.attempts() == {"TLS_ERROR": 1}
        assert (scene.proxy.connections, old.outcomes) == (1, ["UNSUPPORTED_PROTOCOL"])
        scene.proxy.upstream = today
        await scene.heals()

    async def test_f06_a_bad_certificate_stops_the_lane(self, stage, ours):
        """Of many rows only those that were under way are tried."""
        scene = await stage(tls=certificates.of_nobody_known(ours), concurrency=2)

        answer = await scene.call("add", rows(30))

        assert answer.outcomes == {"TLS_ERROR": 30}
        assert scene.attempts() == {"TLS_ERROR": 2}
        assert scene.inside.received == 0

    async def test_x4_a_good_certificate_is_believed(self, stage, ours):
        """Rows reach a vendor whose certificate an authority vouches for."""
        scene = await stage(tls=certificates.good(ours), concurrency=1)

        answer = await scene.call("add", rows(5))

        assert answer.rejected == {}
        assert scene.inside.connections == 1
        await scene.heals()

    async def test_x4_there_is_no_switch(self, stage, ours):
        """No setting of a destination turns the verification off, private networks neither."""
        shown = certificates.of_nobody_known(ours)
        scene = await stage(tls=shown, allow_private_networks=True)

        assert (await scene.call("add", rows(1))).rejected == {1: TLS}
        for name in ("verify", "verify_ssl", "ssl", "insecure", "tls_verify", "ca_file"):
            with pytest.raises(ConfigError, match=name):
                await stage(tls=shown, **{name: False})


class TestRedirects:
    """X3: what a vendor points at is not visited."""

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_x3_a_redirect_is_refused(self, stage, status):
        """Its target sees neither rows nor credentials, nor anything at all."""
        async with listener() as target:
            scene = await stage(auth={"scheme": "bearer", "token": TOKEN})
            scene.proxy.next(answers.redirect(f"http://127.0.0.1:{target.port}/", status))

            answer = await scene.call("add", rows(1))

            assert answer.outcomes == {"REDIRECT_REFUSED": 1}
            assert TOKEN not in answer.exchange.text
            assert target.connections == 0
            await scene.heals()

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    async def test_x3_nor_one_to_the_metadata_of_a_cloud(self, stage, method):
        """Where it points makes no difference, nor how harmless a repetition would be."""
        scene = await stage(method=method)
        scene.proxy.next(answers.redirect("http://169.254.169.254/latest/meta-data/", 307))

        answer = await scene.call("add", rows(1))

        assert answer.outcomes == {"REDIRECT_REFUSED": 1}
        assert scene.attempts() == {"REDIRECT_REFUSED": 1}
        await scene.heals()

    @pytest.mark.parametrize("name", ["Refresh", "Alt_Svc", "Content_Location", "Link"])
    async def test_x3_other_pointers_are_not_followed(self, stage, name):
        """A header that points elsewhere changes nothing for this row or the next."""
        async with listener() as target:
            value = {
                "Refresh": f"0; url=http://127.0.0.1:{target.port}/",
                "Alt_Svc": f'h2="127.0.0.1:{target.port}"; ma=3600',
            }.get(name, f"<http://127.0.0.1:{target.port}/>; rel=preload")
            scene = await stage(auth={"scheme": "bearer", "token": TOKEN})
            scene.proxy.next(answers.answer(answers.response(200, b"{}", **{name: value})))
            assert (await scene.call("add", rows(1))).rejected == {}

            assert (await scene.call("add", rows(2, 11))).rejected == {}
            assert target.connections == 0
            assert scene.effects() == {11: 1, 12: 1}


async def test_f69_a_hostile_environment_is_ignored(tmp_path):
    """
    Proxies, .netrc and foreign authorities of the environment change nothing.

    The rows go straight to the vendor, with the configured credentials, and a vendor whose
    certificate only ``SSL_CERT_FILE`` vouches for is not believed.
    """
    hostile = trustme.CA()
    hostile.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / ".netrc").write_text("default login hostile password hostile\n")
    (tmp_path / ".netrc").chmod(0o600)
    async with (
        listener() as egress,
        raw(OK) as vendor,
        proxy(vendor.url, tls=certificates.good(hostile)) as impostor,
    ):
        through = f"http://127.0.0.1:{egress.port}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "SOCKS_PROXY")
        environment = dict.fromkeys([*names, *(name.lower() for name in names)], through)
        environment |= {
            "NETRC": str(tmp_path / ".netrc"),
            "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
            "SSL_CERT_DIR": str(tmp_path),
            "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"),
            "CURL_CA_BUNDLE": str(tmp_path / "ca.pem"),
            "STATE_URL": "sqlite:///:memory:",
        }
        for name, url in (("PLAIN", vendor.url), ("SECURE", impostor.url)):
            environment |= {
                f"DESTINATIONS__{name}__KIND": "webhook",
                f"DESTINATIONS__{name}__URL": f"{url}/rows",
                f"DESTINATIONS__{name}__ALLOW_PRIVATE_NETWORKS": "true",
            }
        async with server_process(tmp_path, **environment) as server:
            plain = await called(server.url, "plain")
            secure = await called(server.url, "secure")

    assert plain == []
    assert vendor.heads[0].startswith("POST /rows HTTP/1.1")
    assert vendor.header("authorization") == vendor.header("proxy-authorization") == []
    assert [each["reason"] for each in secure] == [TLS]
    assert impostor.received == 0
    assert egress.connections == 0


async def called(url, name):
    """The rejected rows of one call."""
    params = {"configuration": SYNC, "rows": rows(1), "idColumn": "id"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "add", "params": params})
    headers = BEARER | {"Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/hightouch/{name}", data=body, headers=headers) as response,
    ):
        return (await response.json())["result"]["rejectedRows"]
