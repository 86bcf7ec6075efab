"""Bounded decompression: the limit counts inflated bytes, so that a bomb costs no more than it."""

import zlib

_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class InflateError(ValueError):
    """The bytes are not what the encoding says, or end early."""


class InflatedTooLarge(ValueError):
    """The inflated bytes exceed the limit."""


class Inflater:
    """
    Collects a body piece by piece, inflating as it goes.

    Args:
        encoding: ``identity``, ``gzip`` or ``deflate`` (with or without zlib's header).
        limit: The most bytes the inflated body may have.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self._window = _WINDOW.get(encoding)
        self._inflate = zlib.decompressobj(self._window) if self._window else None
        self.limit = limit
        self._head = b""
        self._whole = bytearray()  # grows in place: parts to be joined take three times as long
        self.size = 0
        """Bytes so far, inflated."""

    @staticmethod
    def supports(encoding: str) -> bool:
        """True for the encodings this class can take off."""
        return encoding in _WINDOW or encoding in {"", "identity"}

    def feed(self, piece: bytes) -> None:
        """Take the next piece. Raises InflateError or InflatedTooLarge."""
        if self._inflate is None:
            self._keep(piece)
            return
        while piece:
            if self._inflate.eof:
                raise InflateError("bytes after the end of the compressed body")
            self._keep(self._inflated(piece))
            self._head += piece[: 2 - len(self._head)]
            piece = self._inflate.unconsumed_tail or self._inflate.unused_data

    def finish(self) -> bytearray:
        """The whole body. Raises InflateError when the compressed body ended early."""
        if self._inflate is not None and not self._inflate.eof:
            raise InflateError("the compressed body ends early")
        return self._whole

    def drop(self) -> None:
        """Let go of what was collected: an exception's traceback may hold this object for long."""
        self._whole = bytearray()

    def _inflated(self, piece: bytes) -> bytes:
        assert self._inflate is not None  # noqa: S101 - feed looked
        room = self.limit - self.size + 1
        try:
            return self._inflate.decompress(piece, room)
        except zlib.error:
            if self._window == zlib.MAX_WBITS and len(self._head) < 2:
                # Some senders mean raw deflate when they say deflate: zlib's header is two bytes.
                self._window = -zlib.MAX_WBITS
                self._inflate = zlib.decompressobj(self._window)
                return self._inflated(self._head + piece)
            raise InflateError("the body is not what its Content-Encoding says") from None

    def _keep(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self.limit:
            raise InflatedTooLarge(f"the body exceeds {self.limit} bytes")
        self._whole += piece
