"""
What can befall a connection or an upstream's answer: faults for ``proxy``.

Functions of a ``Link`` are faults; the others make one. ``answers`` has those that answer falsely.
A fault of your own is an ``async def`` that takes a ``Link`` and does as it likes; when it returns
without having ended the connection, the connection lives on.
"""

import asyncio
from collections.abc import Callable

from destination.testing.link import Fault, Link
from destination.wire import Message, with_headers


async def reset(link: Link) -> None:
    """End the connection with a reset, now."""
    link.reset()


async def close(link: Link) -> None:
    """End the connection in order, now."""
    link.close()


async def hang(link: Link) -> None:
    """Read whatever the client sends, and never answer; ends when the client does."""
    while await link.client.begun():
        await link.client.some()


async def stall(link: Link) -> None:
    """Read nothing more, so that the client's window closes; ends with the proxy or a cut."""
    link.deafen()
    await asyncio.Event().wait()


async def relay(link: Link) -> None:
    """Nothing befalls it."""
    await link.relay()


async def exchange(link: Link) -> None:
    """Nothing befalls one request and its answer, each of which is passed on when it is whole."""
    request = await link.request()
    await link.send((await link.forward(request)).raw)


def received(then: Fault) -> Fault:
    """Something that happens when a whole request was received, of which the upstream hears not."""

    async def fault(link: Link) -> None:
        await link.request()
        await then(link)

    return fault


def forwarded(then: Fault) -> Fault:
    """Something that happens instead of an answer that the upstream has given."""

    async def fault(link: Link) -> None:
        await link.forward(await link.request())
        await then(link)

    return fault


def stale(then: Fault = close) -> Fault:
    """One exchange, then something at the first byte of the next request on that connection."""

    async def fault(link: Link) -> None:
        await exchange(link)
        if await link.client.begun():
            await then(link)

    return fault


def idle(seconds: float, then: Fault = close) -> Fault:
    """One exchange, then something when the connection was kept so long, used or not."""

    async def fault(link: Link) -> None:
        await exchange(link)
        await asyncio.sleep(seconds)
        await then(link)

    return fault


def late(seconds: float) -> Fault:
    """One exchange, of which the request waits before it is passed on."""

    async def fault(link: Link) -> None:
        request = await link.request()
        await asyncio.sleep(seconds)
        await link.send((await link.forward(request)).raw)

    return fault


def late_answer(seconds: float) -> Fault:
    """One exchange, of which the answer waits: the upstream has long done its part."""

    async def fault(link: Link) -> None:
        answer = await link.forward(await link.request())
        await asyncio.sleep(seconds)
        await link.send(answer.raw)

    return fault


def stop_reading(after: int) -> Fault:
    """Take so many bytes, then nothing more."""

    async def fault(link: Link) -> None:
        await link.client.exactly(after)
        await stall(link)

    return fault


def altered(change: Callable[[Message], bytes], then: Fault | None = None) -> Fault:
    """The upstream's answer as other bytes, and then something; by default all goes on."""

    async def fault(link: Link) -> None:
        await link.send(change(await link.forward(await link.request())))
        if then is not None:
            await then(link)

    return fault


def truncated(size: int, then: Fault = close) -> Fault:
    """An answer's head and so many bytes of its body, then an end before the promised length."""
    return altered(lambda answer: answer.head + answer.framed[:size], then)


def cut_chunk(size: int, then: Fault = close) -> Fault:
    """An answer in chunks that ends after so many bytes of content, amid a chunk."""

    def change(answer: Message) -> bytes:
        head = with_headers(answer.head, {"Transfer-Encoding": "chunked", "Content-Length": None})
        return head + b"%x\r\n" % (size + 1) + answer.content[:size]

    return altered(change, then)


def lying(length: int) -> Fault:
    """An answer whose ``Content-Length`` is something else; the connection is kept."""

    def change(answer: Message) -> bytes:
        return with_headers(answer.head, {"Content-Length": str(length)}) + answer.content

    return altered(change)


def drip(size: int, interval: float, *, after_head: bool = False) -> Fault:
    """
    The upstream's answer, little by little.

    Args:
        size: Bytes at a time.
        interval: Seconds between.
        after_head: The head comes at once; only the body drips.
    """

    async def fault(link: Link) -> None:
        answer = await link.forward(await link.request())
        first = len(answer.head) if after_head else size
        await link.send(answer.raw[:first])
        for at in range(first, len(answer.raw), size):
            await asyncio.sleep(interval)
            await link.send(answer.raw[at : at + size])

    return fault
