"""The IIIF Image API, versions 1.1 to 3: the address at which a part of a picture is had in the size that is needed.

https://iiif.io/api/image/3.0/, https://iiif.io/api/image/2.1/ and https://iiif.io/api/image/1.1/, with their compliance
documents: level 0 sends what it has ready, level 1 cuts and shrinks, level 2 turns by right angles.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from a2m_edge.collection.iiif.image_requests import service_base
from a2m_edge.collection.iiif.json_ld import contexts, identity, kind, pixels
from a2m_edge.perception.parts import Part, Region, counted
from a2m_edge.perception.pictures import SHORTEST_SIDE

NEEDED_SIDE = 1024
"""Pixels of the long side: more than any encoder and the contact sheet see, little for a server to send."""

_LEVEL = re.compile(r"level([012])(\.json)?$")
_VERSIONS = (
    (3, re.compile(r"/api/image/3/|^level[012]$")),
    (2, re.compile(r"/api/image/2/")),
    (1, re.compile(r"/image-api/(1\.[01]/)?(context|compliance|conformance)|/api/image/1(\.[01])?/")),
)
"""By what is said in ``@context`` or ``profile``."""


@dataclass(frozen=True)
class Offer:
    """What a service can be asked for.

    Attributes:
        address: where.
        parts: what is left to be taken of the picture that it sends.
    """

    address: str = field(repr=False)
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class ImageService:
    """What a manifest or an ``info.json`` says about a picture.

    Attributes:
        address: the base URI of the picture, without a slash at its end.
        query: what follows all its addresses, with the question mark, or nothing.
        version: of the Image API, 1 to 3.
        level: of compliance, 0 to 2; None where nothing is said.
        width, height: pixels of the whole picture, or None.
        sizes: widths and heights that the server has ready.
        most: greatest width, height and area (pixels) that it sends; infinite where nothing is said.
        features: what it can do beyond its level, ``gray`` and ``bitonal`` among it.
    """

    address: str = field(repr=False)
    version: int = 3
    level: int | None = None
    width: int | None = None
    height: int | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    most: tuple[float, float, float] = (math.inf, math.inf, math.inf)
    features: frozenset[str] = frozenset()
    query: str = field(default="", repr=False)

    @classmethod
    def at(cls, address: str) -> Self:
        """The service of which nothing but its id, or the address of its ``info.json``, is known."""
        base, query = service_base(address)
        return cls(base, query=query)

    @classmethod
    def read(cls, value: object, address: str | None = None) -> Self | None:
        """A service from an entry of ``service`` or an ``info.json``; None for other things than an image service.

        Args:
            value: the parsed JSON.
            address: the id of the service, where it is known; otherwise that of ``value``.
        """
        if not isinstance(value, dict):
            return None
        profiles = value.get("profile")
        profiles = profiles if isinstance(profiles, list) else [profiles]
        names = [identity(each) if isinstance(each, dict) else each for each in profiles]
        names = [each for each in names if isinstance(each, str)]
        version = _version(value, names)
        found = address or identity(value)
        if version is None or not found:
            return None
        levels = [int(match[1]) for each in names if (match := _LEVEL.search(each))]
        facts = [value, *(each for each in profiles if isinstance(each, dict))]
        wide, tall, area = (
            min((float(number) for each in facts if (number := pixels(each.get(name)))), default=math.inf)
            for name in ("maxWidth", "maxHeight", "maxArea")
        )
        base, query = service_base(found)
        return cls(
            address=base,
            version=version,
            level=levels[0] if levels else None,
            width=pixels(value.get("width")),
            height=pixels(value.get("height")),
            sizes=_sizes(value.get("sizes")),
            most=(wide, wide if math.isinf(tall) else tall, area),  # maxWidth alone limits both (3.0, 5.3)
            features=_features(facts),
            query=query,
        )

    def within(self, width: object, height: object) -> Self:
        """The same service, of a picture whose size (pixels) is told elsewhere, where it does not tell itself."""
        if self.width is not None and self.height is not None:
            return self
        return replace(self, width=pixels(width), height=pixels(height))

    @property
    def information(self) -> str:
        """The address of the picture's ``info.json``."""
        return f"{self.address}/info.json{self.query}"

    def known_offer(self, parts: Sequence[Part] = ()) -> Offer | None:
        """As ``offer``; None where too little is known, and ``info.json`` must be asked."""
        region = parts[0].region if parts else None
        in_pixels = isinstance(region, Region) and region.of is None
        known = (self.width is not None and self.height is not None) or in_pixels
        return self.offer(parts) if known and self.level is not None and (self.level or self.sizes) else None

    def offer(self, parts: Sequence[Part] = ()) -> Offer:
        """What is asked for where these parts are wanted, one after another; as little is sent as they need.

        The first one is left to the service as far as its level promises that.

        Raises:
            PartError: one lies outside of the picture.
        """
        first = parts[0] if parts else Part()
        box = self._box(first) if first.region is not None else None
        if first.region is not None and box is None:
            return self.whole(parts)
        turn, left = self._turn(first)
        size = (self.width, self.height) if box is None else box[2:]
        region = "full" if box is None else ",".join(map(str, box))
        return self._offer(region, size, turn, (*left, *parts[1:]))

    def whole(self, parts: Sequence[Part]) -> Offer:
        """The whole picture, of which nothing is taken yet.

        Raises:
            PartError: a part lies outside of it.
        """
        return self._offer("full", (self.width, self.height), "0", tuple(parts))

    def _offer(self, region: str, size: tuple[int | None, int | None], turn: str, left: tuple[Part, ...]) -> Offer:
        wanted = None
        if size[0] is not None and size[1] is not None:
            turned = Part(degrees=float(turn.lstrip("!"))).turned_size(size[0], size[1])
            left, shown = counted(left, *turned)
            wanted = self._size_wanted(size[0], size[1], _scale(*shown), whole=region == "full")
        wanted = wanted or ("max" if self.version == 3 else "full")
        quality = "native" if self.version == 1 else "default"
        if left[:1] and left[0] in (Part(quality="gray"), Part(quality="bitonal")) and left[0].quality in self.features:
            quality, left = left[0].quality, left[1:]
        return Offer(f"{self.address}/{region}/{wanted}/{turn}/{quality}.jpg{self.query}", left)

    def _box(self, part: Part) -> tuple[int, int, int, int] | None:
        """Left, top, width and height in whole pixels of the picture; None where the service does not cut."""
        if not (self.level or "regionByPx" in self.features):
            return None
        if self.width is not None and self.height is not None:
            left, top, right, bottom = part.box(self.width, self.height)
        elif isinstance(part.region, Region) and part.region.of is None:
            left, top, right, bottom = part.region.box(math.inf, math.inf)
        else:
            return None
        x, y = math.floor(left + 1e-6), math.floor(top + 1e-6)
        return x, y, max(1, round(right) - x), max(1, round(bottom) - y)

    def _turn(self, part: Part) -> tuple[str, tuple[Part, ...]]:
        """The rotation parameter, and what of a part that is cut already is left to be done."""
        upright = Part(quality=part.quality)
        left = () if part.quality == "default" else (upright,)
        right_angle = part.degrees % 90 == 0 and (self.level == 2 or "rotationBy90s" in self.features)
        turns = part.degrees % 360 == 0 or right_angle
        if not turns or (part.mirrored and "mirroring" not in self.features):
            return "0", (replace(part, region=None),)
        return f"{'!' if part.mirrored else ''}{round(part.degrees) % 360}", left

    def _size_wanted(self, width: int, height: int, scale: float, *, whole: bool) -> str | None:
        """The size parameter; None for all that there is."""
        wide, tall, area = self.most
        scale = min(scale, wide / width, tall / height, math.sqrt(area / (width * height)))
        wanted = max(1, math.floor(width * scale + 1e-9))
        ready = self._ready(wanted) if whole else None
        if ready is not None:
            return f"{ready[0]},{ready[1]}" if self.version == 3 else f"{ready[0]},"
        if scale >= 1 or not self.level:
            return None
        return f"{wanted},"  # what level 1 of all versions takes

    def _ready(self, width: int) -> tuple[int, int] | None:
        """The size that the server has ready and that is little larger than needed; without a level, any that does."""
        enough = sorted(size for size in self.sizes if width <= size[0] <= self.most[0] and size[1] <= self.most[1])
        if enough and (enough[0][0] <= 2 * width or not self.level):
            return enough[0]
        if not self.level and self.sizes and max(self.sizes)[0] >= width / 2:
            return max(self.sizes)
        return None


def _version(value: dict[str, Any], profiles: list[str]) -> int | None:
    """1 to 3, from the type of a service, or else its context or profile."""
    for version, known in _VERSIONS:
        if kind(value) == f"ImageService{version}" or any(known.search(each) for each in contexts(value)):
            return version
    if kind(value) not in ("", "Service"):
        return None
    return next((version for version, known in _VERSIONS if any(known.search(each) for each in profiles)), None)


def _features(facts: list[dict[str, Any]]) -> frozenset[str]:
    """What is listed under the names that versions 2 and 3 have for it."""
    names = ("extraFeatures", "extraQualities", "supports", "qualities")
    lists = [each.get(name) for each in facts for name in names]
    return frozenset(each for listed in lists if isinstance(listed, list) for each in listed if isinstance(each, str))


def _sizes(value: object) -> tuple[tuple[int, int], ...]:
    entries = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    pairs = ((pixels(each.get("width")), pixels(each.get("height"))) for each in entries)
    return tuple((width, height) for width, height in pairs if width is not None and height is not None)


def _scale(width: float, height: float) -> float:
    """By how much a picture is shrunk at most: as ``pictures`` does, which keeps a panorama's short side."""
    scale = max(NEEDED_SIDE / max(width, height), min(1.0, SHORTEST_SIDE / min(width, height)))
    return min(scale, 1.0)
