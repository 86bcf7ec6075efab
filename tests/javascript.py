"""A receiver in Node, and JavaScript's own word on JSON."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")

RECEIVER = """
const { createHmac, timingSafeEqual } = require('node:crypto');
const { createServer } = require('node:http');
const secret = process.argv[1];

function isOurs(parsed, header) {
  const digits = createHmac('sha256', secret).update(JSON.stringify(parsed), 'utf8').digest('hex');
  const [left, right] = [Buffer.from(header ?? ''), Buffer.from('sha256=' + digits)];
  return left.length === right.length && timingSafeEqual(left, right);
}

const server = createServer((request, response) => {
  const pieces = [];
  request.on('data', piece => pieces.push(piece));
  request.on('end', () => {
    const parsed = JSON.parse(Buffer.concat(pieces).toString('utf8'));
    response.statusCode = isOurs(parsed, request.headers['x-signature-256']) ? 200 : 401;
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on('end', () => process.exit());
"""
"""It checks the signature over the JSON that it makes anew of what it parsed, as the page shows."""

STRINGIFY = """
const lines = require('node:fs').readFileSync(0, 'utf8').split('\\n');
console.log(lines.map(line => JSON.stringify(JSON.parse(line))).join('\\n'));
"""


@asynccontextmanager
async def receiver(secret: str) -> AsyncIterator[str]:
    """The URL of a receiver that takes what is signed with this secret, inside the block."""
    assert NODE is not None
    pipe = asyncio.subprocess.PIPE
    command = (NODE, "-e", RECEIVER, "--", secret)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/events"
    finally:
        process.stdin.close()
        await process.wait()


def stringified(texts: Iterable[bytes]) -> list[bytes]:
    """What ``JSON.stringify(JSON.parse(text))`` makes of each text, none of which has a newline."""
    assert NODE is not None
    command = [NODE, "-e", STRINGIFY]
    done = subprocess.run(command, input=b"\n".join(texts), capture_output=True, check=True)
    return done.stdout.removesuffix(b"\n").split(b"\n")
