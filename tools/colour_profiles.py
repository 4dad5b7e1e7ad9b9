"""Small ICC profiles of well-known colour spaces, made from their published numbers (ICC.1:2022)."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

SPACES: dict[str, tuple[tuple[float, ...], float | None]] = {
    "sRGB": ((0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06), None),
    "Display P3": ((0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06), None),
    "Adobe RGB": ((0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06), 563 / 256),
    "ProPhoto RGB": ((0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001), 1.8),
}
"""White, red, green and blue, x and y each, and the exponent of the curve; None for sRGB's own curve.

IEC 61966-2-1; SMPTE EG 432-1 with sRGB's white and curve; Adobe RGB (1998) 4.3; ISO 22028-2.
"""

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def rgb_profile(space: str) -> bytes:
    """A matrix profile of one of ``SPACES``."""
    corners, exponent = SPACES[space]
    colorants = _colorants(corners)
    if exponent is None:
        curve = b"para\0\0\0\0\0\3\0\0" + b"".join(map(_fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
    else:
        curve = b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(exponent * 256))
    tags = {b"desc": _text(space), b"wtpt": _xyz(_D50), b"cprt": _text("no copyright")}
    tags |= {name: _xyz(colorants[:, at]) for at, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return profile(b"RGB ", b"XYZ ", tags)


def grey_profile(exponent: float) -> bytes:
    """A grey profile with a curve of this exponent."""
    curve = b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(exponent * 256))
    return profile(b"GRAY", b"XYZ ", {b"desc": _text("grey"), b"wtpt": _xyz(_D50), b"kTRC": curve})


def cmyk_profile(inks: NDArray[np.uint8]) -> bytes:
    """A CMYK profile by a table of its corners.

    Args:
        inks: uint8 [2, 2, 2, 2, 3], L*a*b* as ICC stores it in 8 bits, for no and full ink of C, M, Y and K.
    """
    straight = bytes(range(256))
    identity = b"".join(map(_fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + straight * 4 + inks.tobytes() + straight * 3
    return profile(b"CMYK", b"Lab ", {b"desc": _text("inks"), b"wtpt": _xyz(_D50), b"A2B0": table, b"A2B1": table})


def profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile of these tags (ICC.1:2022, 7)."""
    place, entries, bodies = 128 + 4 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        entries += name + struct.pack(">II", place + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = bytes(4) + struct.pack(">I", 0x04200000) + kind + space + connection
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    whole = head.ljust(124, b"\0") + struct.pack(">I", len(tags)) + entries + bodies
    return struct.pack(">I", len(whole) + 4) + whole


def _colorants(corners: tuple[float, ...]) -> NDArray[np.float64]:
    """CIE XYZ of full red, green and blue under D50, as columns."""
    xy = np.array(corners).reshape(4, 2)
    xyz = np.column_stack([xy, 1 - xy.sum(axis=1)]).T / xy[:, 1]
    whole = xyz[:, 1:] * np.linalg.solve(xyz[:, 1:], xyz[:, 0])
    gain = (_BRADFORD @ _D50) / (_BRADFORD @ xyz[:, 0])
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(gain) @ _BRADFORD @ whole
    return adapted


def _fixed(number: float) -> bytes:
    return struct.pack(">i", round(number * 65536))


def _xyz(numbers: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(float(number)) for number in numbers)


def _text(words: str) -> bytes:
    coded = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(coded), 28) + coded
