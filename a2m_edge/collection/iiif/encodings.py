"""Content-Encoding (RFC 9110, 8.4.1): what a server compressed although nobody asked for it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from a2m_edge.errors import printable

_PIECE = 64 * 2**10
_GZIP = 16 + zlib.MAX_WBITS
_READ = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class EncodingError(ValueError):
    """What came cannot be decoded; the message is a clause that tells why and what to do."""


class CutOffError(EncodingError):
    """It ends too early."""


class Decoder:
    """Takes what comes, and gives what was meant, in pieces of at most 64 KiB: no bomb is ever held.

    Args:
        headers: the values of Content-Encoding.

    Raises:
        EncodingError: it is none of the encodings that are read, or more than one.
    """

    def __init__(self, headers: Iterable[str]) -> None:
        named = [name.strip().lower() for header in headers for name in header.split(",")]
        names = [name for name in named if name not in ("", "identity")]
        if len(names) > 1 or any(name not in _READ for name in names):
            shown = ", ".join(printable(name)[:20] for name in names[:4])
            raise EncodingError(
                f"it is compressed ({shown}) although that was not asked for, and gzip or deflate alone are read; ask "
                "its owner to send it as it is"
            )
        self._name = names[0] if names else None
        self._held = b""
        self._inflater: zlib._Decompress | None = None
        self._ended = False

    def pieces(self, block: bytes) -> Iterator[bytes]:
        """What a further block gives.

        Raises:
            EncodingError: it is damaged.
        """
        if self._name is None:
            yield block
            return
        if self._ended:
            return
        self._held += block
        while self._held:
            if self._inflater is None:
                if self._name == "deflate" and len(self._held) < 2:
                    return
                self._inflater = zlib.decompressobj(self._window())
            try:
                piece = self._inflater.decompress(self._held, _PIECE)
            except zlib.error:
                raise EncodingError(f"it is said to be {self._name}, and is damaged or none; ask its owner") from None
            if piece:
                yield piece
            if self._inflater.eof:
                self._held = self._inflater.unused_data
                if not self._held.startswith(b"\x1f"):  # it pads the end; members may follow (RFC 1952, 2.2)
                    self._held, self._ended = b"", bool(self._held)
                    return
                self._inflater = None
            else:
                self._held = self._inflater.unconsumed_tail
                if not piece and not self._held:
                    return

    def finish(self) -> None:
        """Is called at the end.

        Raises:
            CutOffError: there should be more.
        """
        if self._held or (self._inflater is not None and not self._inflater.eof):
            raise CutOffError(f"its {self._name} is cut off; try again later")

    def _window(self) -> int:
        """Of deflate, the form without a header too, which some servers send."""
        if self._name == "deflate" and (self._held[0] & 15 != 8 or int.from_bytes(self._held[:2], "big") % 31):
            return -zlib.MAX_WBITS
        return _READ[self._name or "gzip"]
