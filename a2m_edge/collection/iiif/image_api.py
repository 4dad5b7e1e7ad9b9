"""The IIIF Image API, versions 2 and 3: the address at which a picture is had in the size that is needed.

https://iiif.io/api/image/3.0/ and https://iiif.io/api/image/2.1/, with their compliance documents.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from a2m_edge.addresses import shown
from a2m_edge.collection.iiif.fetching import PATIENT, FetchError, Patience, fetch, in_memory, is_address
from a2m_edge.errors import PictureError
from a2m_edge.perception.pictures import SHORTEST_SIDE

NEEDED_SIDE = 1024
"""Pixels of the long side: more than any encoder and the contact sheet see, little for a server to send."""

MOST_PICTURE_BYTES = 128 * 2**20
"""Pictures that are larger are not fetched: they are kept in memory."""

_MOST_INFORMATION_BYTES = 2**20
_LEVEL = re.compile(r"level([012])(\.json)?$")
_SIZED = re.compile(r"(.+)/full/[^/]+/0/default\.jpg")
_OTHER_SIZES = frozenset({400, 403, 404, 501})
"""How servers refuse a size (Image API 3.0, 4.2 and 7.3 leave 400 and 501 to them; others answer 403 or 404)."""


@dataclass(frozen=True)
class ImageService:
    """What a manifest or an ``info.json`` says about a picture.

    Attributes:
        address: the base URI of the picture, without a slash at its end.
        version: of the Image API, 2 or 3.
        level: of compliance, 0 to 2; None where nothing is said.
        width, height: pixels of the whole picture, or None.
        sizes: widths and heights that the server has ready.
        most: greatest width, height and area (pixels) that it sends; infinite where nothing is said.
    """

    address: str
    version: int
    level: int | None
    width: int | None = None
    height: int | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    most: tuple[float, float, float] = (math.inf, math.inf, math.inf)

    @classmethod
    def read(cls, value: object, address: str | None = None) -> Self | None:
        """A service from an entry of ``service`` or an ``info.json``; None for other things than an image service.

        Args:
            value: the parsed JSON.
            address: the base URI, where it is known; otherwise that of ``value``.
        """
        if not isinstance(value, dict):
            return None
        version = _version(value)
        found = address or value.get("id") or value.get("@id")
        if version is None or not isinstance(found, str) or not found:
            return None
        profiles = value.get("profile")
        profiles = profiles if isinstance(profiles, list) else [profiles]
        levels = [int(match[1]) for each in profiles if isinstance(each, str) and (match := _LEVEL.search(each))]
        limits = [value, *(each for each in profiles if isinstance(each, dict))]
        wide, tall, area = (
            min((float(number) for each in limits if (number := _size(each.get(name)))), default=math.inf)
            for name in ("maxWidth", "maxHeight", "maxArea")
        )
        return cls(
            address=found.removesuffix("/"),
            version=version,
            level=levels[0] if levels else None,
            width=_size(value.get("width")),
            height=_size(value.get("height")),
            sizes=_sizes(value.get("sizes")),
            most=(wide, wide if math.isinf(tall) else tall, area),  # maxWidth alone limits both (3.0, 5.3)
        )

    def within(self, width: object, height: object) -> Self:
        """The same service, of a picture whose size (pixels) is told elsewhere, where it does not tell itself."""
        if self.width is not None and self.height is not None:
            return self
        return replace(self, width=_size(width), height=_size(height))

    @property
    def information(self) -> str:
        """The address of the picture's ``info.json``."""
        return f"{self.address}/info.json"

    def known_picture(self) -> str:
        """The address of the picture in the size that is needed, or of its ``info.json`` where too little is known."""
        known = self.width is not None and self.height is not None and self.level is not None
        return self.picture() if known and (self.level or self.sizes) else self.information

    def picture(self) -> str:
        """The address of the picture in the size that is needed, or in the nearest one that is offered."""
        whole = "max" if self.version == 3 else "full"
        return f"{self.address}/full/{self._size_wanted() or whole}/0/default.jpg"

    def _size_wanted(self) -> str | None:
        """The size parameter; None for all that there is."""
        if self.width is None or self.height is None:
            return None
        scale = _scale(self.width, self.height)
        wide, tall, area = self.most
        scale = min(scale, wide / self.width, tall / self.height, math.sqrt(area / (self.width * self.height)))
        width = max(1, math.floor(self.width * scale + 1e-9))
        ready = self._ready(width)
        if ready is not None:
            return f"{ready[0]},{ready[1]}" if self.version == 3 else f"{ready[0]},"
        if scale >= 1 or not self.level:
            return None
        return f"{width},"  # what level 1 of both versions takes

    def _ready(self, width: int) -> tuple[int, int] | None:
        """The size that the server has ready and that is little larger than needed; without a level, any that does."""
        enough = sorted(size for size in self.sizes if width <= size[0] <= self.most[0] and size[1] <= self.most[1])
        if enough and (enough[0][0] <= 2 * width or not self.level):
            return enough[0]
        if not self.level and self.sizes and max(self.sizes)[0] >= width / 2:
            return max(self.sizes)
        return None


@contextlib.contextmanager
def picture_file(image: str, patience: Patience = PATIENT) -> Iterator[Path]:
    """The file of a picture that is named by a path or by an http(s) address.

    What is fetched stays in memory, under a path of its own, as long as the block lasts. An address that ends in
    ``/info.json`` stands for the picture that it describes, in the size that is needed. Where a server refuses
    a size, its ``info.json`` is asked for one that it offers.

    Raises:
        PictureError: the picture cannot be fetched; or the block's own, with the address for a name.
    """
    if not is_address(image):
        yield Path(image)
        return
    try:
        content = _fetched(image, patience)
    except FetchError as error:
        raise PictureError(f"cannot fetch {shown(image)}: {error}") from None
    with in_memory(content, shown(image)) as path:
        yield path


def _fetched(image: str, patience: Patience) -> bytes:
    base = image.removesuffix("/info.json")
    if base != image:
        return _content(_service(base, patience).picture(), patience)
    try:
        return _content(image, patience)
    except FetchError as error:
        sized = _SIZED.fullmatch(image)
        if sized is None or error.status not in _OTHER_SIZES:
            raise
        try:
            offered = _service(sized[1], patience).picture()
        except FetchError:
            offered = image
        if offered == image:
            raise
        return _content(offered, patience)


def _content(address: str, patience: Patience) -> bytes:
    accept = "image/jpeg,image/png,image/*;q=0.8"
    return fetch(address, most_bytes=MOST_PICTURE_BYTES, accept=accept, patience=patience)


def _service(base: str, patience: Patience) -> ImageService:
    accept = "application/ld+json,application/json"
    content = fetch(f"{base}/info.json", most_bytes=_MOST_INFORMATION_BYTES, accept=accept, patience=patience)
    try:
        service = ImageService.read(json.loads(content), base)
    except (ValueError, RecursionError):
        service = None
    if service is None:
        raise FetchError("its info.json is not one of the IIIF Image API 2 or 3; check the address")
    return service


def _version(value: dict[str, Any]) -> int | None:
    """2 or 3, from the type of a service or the context of an ``info.json``."""
    kind, context = value.get("type") or value.get("@type"), value.get("@context")
    contexts = [each for each in (context if isinstance(context, list) else [context]) if isinstance(each, str)]
    for version in (3, 2):
        if kind == f"ImageService{version}" or any(f"/api/image/{version}/" in each for each in contexts):
            return version
    return None


def _size(value: object) -> int | None:
    """A number of pixels, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 2**53:  # false for NaN
        return None
    return int(value)


def _sizes(value: object) -> tuple[tuple[int, int], ...]:
    entries = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    pairs = ((_size(each.get("width")), _size(each.get("height"))) for each in entries)
    return tuple((width, height) for width, height in pairs if width is not None and height is not None)


def _scale(width: int, height: int) -> float:
    """By how much a picture is shrunk at most: as ``pictures`` does, which keeps a panorama's short side."""
    scale = max(NEEDED_SIDE / max(width, height), min(1.0, SHORTEST_SIDE / min(width, height)))
    return min(scale, 1.0)
