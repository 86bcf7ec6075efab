"""Only public addresses are dialled, however they are spelt."""

import asyncio

import httpx
import pytest
from support import Serve

from destination.vendor.addresses import is_public
from destination.vendor.transport import AiohttpTransport, BlockedError


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "4000::1",
        "localhost",
        "example.com",
        "127.1",
        "2130706433",
        "0x7f000001",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    """Private, reserved, relayed and embedded addresses are refused, and what is no address."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "126.255.255.255",
        "128.0.0.1",
        "168.63.129.15",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.255.255",
        "192.169.0.1",
        "198.17.255.255",
        "198.20.0.1",
        "223.255.255.255",
        "2001:200::1",
        "2600::1",
        "2606:4700:4700::1111",
    ],
)
def test_what_is_public_is_allowed(address: str) -> None:
    """Public addresses are allowed, also the neighbours of refused networks."""
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0",
        "[::1]",
        "[::ffff:7f00:1]",
    ],
)
async def test_no_spelling_reaches_a_listener_on_loopback(host: str) -> None:
    """A listener on loopback sees no connection, whatever way its address is spelt."""
    seen = []
    server = await asyncio.start_server(lambda *streams: seen.append(streams), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(transport=AiohttpTransport(public_only=True)) as http:
        with pytest.raises((httpx.ConnectError, httpx.UnsupportedProtocol)):
            await http.post(f"http://{host}:{port}/", content=b"secret")

    assert seen == []


async def test_a_blocked_address_is_named_as_such() -> None:
    """Refusing an address is told apart from not reaching it."""
    async with httpx.AsyncClient(transport=AiohttpTransport(public_only=True)) as http:
        with pytest.raises(BlockedError):
            await http.get("https://localhost:1/")


async def test_a_private_receiver_is_a_reason(serve: Serve) -> None:
    """Rows for a private address are rejected as ``BLOCKED_URL``, and say what permits it."""
    served = await serve({"crm": {"kind": "webhook", "url": "https://127.0.0.1:1/rows"}})

    result = await served.result("add", {"idColumn": "id", "rows": [{"id": 1}]}, path="/")

    assert result["rejectedRows"][0]["reason"] == (
        "BLOCKED_URL: not sent: the address is not public; allow_private_networks = true permits it"
    )
