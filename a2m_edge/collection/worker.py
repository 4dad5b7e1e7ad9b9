"""One work rendered: what every runner does with each item, in whatever process."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.addresses import scrubbed
from a2m_edge.bundle import Bundle, open_bundle
from a2m_edge.collection.comparing import picture_hash, stamp_of
from a2m_edge.collection.dwellings import dwellings_of
from a2m_edge.collection.iiif.depictions import PictureFile, picture_file
from a2m_edge.collection.iiif.fetching import is_address
from a2m_edge.collection.index import CONTRASTS, Record, Stamp, work_hash
from a2m_edge.collection.items import Item
from a2m_edge.collection.sheet.page import encode_thumbnail, thumbnail_name
from a2m_edge.collection.storage.folders import SOUNDS
from a2m_edge.collection.storage.places import open_storage
from a2m_edge.errors import BundleError, CommentError, OptionError, PictureError, Remark
from a2m_edge.jobs.work import Work
from a2m_edge.perception.picture_tables import PictureTables
from a2m_edge.perception.pictures import read_picture
from a2m_edge.rendering.render import Render, Request, render
from a2m_edge.sound.files import encode_sound, sound_format
from a2m_edge.soundscape import Soundscape


@dataclass(frozen=True)
class RenderOptions:
    """What is the same for all works of a run; small, so that it can be sent to any process.

    Attributes:
        output: where the run is kept, as for ``a2m_edge.collection.storage.places.open_storage``; it is already
            prepared.
        sound_format: name of a ``SoundFormat``.
        bundle: folder of the bundle, or None for the one that is installed.
        bundle_hash: which that must have.
        device, threads: as in ``a2m_edge.inference.sessions.open_session``.
        thumbnails: whether a thumbnail of each picture is written for the contact sheet.
        tables: what is known of the collection's pictures as a whole, as ``PictureTables.to_json`` gives it; None where
            its works are contrasted with all paintings.
    """

    output: str = field(repr=False)
    sound_format: str
    bundle: str | None
    bundle_hash: str
    device: str = "cpu"
    threads: int = 1
    thumbnails: bool = False
    tables: str | None = None

    @property
    def contrast_tables(self) -> str | None:
        """SHA-256 of the tables in hexadecimal; None where there are none."""
        return None if self.tables is None else hashlib.sha256(self.tables.encode()).hexdigest()


@dataclass(frozen=True)
class Prepared:
    """An item with its picture at hand.

    Attributes:
        item, record: the item, and what is known of it.
        picture: RGB uint8 [H, W, 3], or None.
        stamp: of a picture file that stays where it is, or None.
        seconds: that this took.
    """

    item: Item
    record: Record
    picture: NDArray[np.uint8] | None
    stamp: Stamp | None
    seconds: float


@dataclass(frozen=True)
class Performed:
    """A work whose sound is made and not written yet.

    Attributes:
        prepared: what it was made from; without its picture where nobody needs that any more.
        record: what is known of it.
        samples, sample_rate: the sound, float32 [N], and Hz.
        seconds: that this took.
    """

    prepared: Prepared
    record: Record
    samples: NDArray[np.float32]
    sample_rate: int
    seconds: float


@dataclass(frozen=True)
class RenderWork(Work[Item, Record]):
    """Renders a work and writes its sound; the models stay loaded in the process for the next one.

    The answer is what the index says about it. An item that cannot be rendered, for whatever reason that lies in it,
    comes back with its ``error`` and without a sound. The errors raised tell that no other one could be rendered,
    either: ``OutputError``, ``BundleError``, ``DeviceError`` and ``MissingExtraError``.
    """

    options: RenderOptions

    @property
    def wants_gpu(self) -> bool:  # type: ignore[override]
        """As the options say."""
        return self.options.device != "cpu"

    def start(self) -> None:
        """Loads bundle and models."""
        load_models(self.options)

    def prepare(self, job: Item) -> Prepared | Record:
        """Fetches and reads the picture."""
        record = Record.begin(job)
        if job.problem is not None:
            return record.failed(job.problem)
        begun = time.monotonic()

        def read() -> Prepared:
            _request(job).check()
            with _picture(job) as (file, digest, stamp):
                notices = [] if file is None else list(file.remarks)
                picture = None if file is None else read_picture(file.path, _named(file, notices), file.parts)
                known = dataclasses.replace(
                    record,
                    notice="; ".join(notices) or None,
                    input=digest,
                    work=work_hash(
                        job, digest, self.options.bundle_hash, self.options.sound_format, self.options.contrast_tables
                    ),
                    contrast=None if file is None else CONTRASTS[self.options.tables is not None],
                    contrast_tables=None if file is None else self.options.contrast_tables,
                )
            return Prepared(job, known, picture, stamp, time.monotonic() - begun)

        return _or_failed(job, record, read)

    def perform(self, prepared: Prepared | Record) -> Performed | Record:
        """Makes the sound."""
        if isinstance(prepared, Record):
            return prepared
        bundle, models = load_models(self.options)
        begun = time.monotonic()

        def make() -> Performed:
            result = render(_request(prepared.item), bundle, models=models, painting=prepared.picture)
            kept = prepared if self.options.thumbnails else dataclasses.replace(prepared, picture=None)
            seconds = time.monotonic() - begun
            return Performed(kept, _described(prepared.record, result), result.samples, result.sample_rate, seconds)

        return _or_failed(prepared.item, prepared.record, make)

    def finish(self, performed: Performed | Record) -> Record:
        """Encodes the sound and writes it, whole or not at all."""
        if isinstance(performed, Record):
            return performed
        prepared, record = performed.prepared, performed.record
        kind = sound_format(self.options.sound_format)
        begun = time.monotonic()
        content = _or_failed(
            prepared.item, record, lambda: encode_sound(performed.samples, performed.sample_rate, kind)
        )
        if isinstance(content, Record):
            return content
        storage = open_storage(self.options.output)
        name = f"{SOUNDS}/{prepared.item.id}.{kind.name}"
        storage.write(name, content)
        if prepared.picture is not None and self.options.thumbnails:
            storage.write(thumbnail_name(prepared.item.id), encode_thumbnail(prepared.picture))
        timings = {"fetch": prepared.seconds, "render": performed.seconds, "write": time.monotonic() - begun}
        return dataclasses.replace(
            record,
            stamp=prepared.stamp,
            sound=name,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            timings={step: round(seconds, 3) for step, seconds in timings.items()},
            peak_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        )

    def lost(self, job: Item, ending: str) -> Record:
        """Lists the item as failed."""
        return Record.begin(job).failed(
            f"the process that rendered it ended ({ending}) each time; try a smaller copy of the picture, or fewer "
            f"--workers"
        )


@functools.lru_cache(maxsize=1)
def load_models(options: RenderOptions) -> tuple[Bundle, Soundscape]:
    """The bundle and its models, kept for the life of this process.

    Raises:
        BundleError: the bundle is not the one that the run began with, or cannot be used.
        DeviceError, MissingExtraError: the models cannot be used here.
    """
    bundle = open_same_bundle(options)
    tables = None if options.tables is None else PictureTables.from_json(options.tables)
    return bundle, Soundscape(bundle, device=options.device, threads=options.threads, tables=tables)


def open_same_bundle(options: RenderOptions) -> Bundle:
    """The bundle that the run began with.

    Raises:
        BundleError: it is another one now, or cannot be used.
    """
    bundle = open_bundle(None if options.bundle is None else Path(options.bundle))
    if bundle.hash != options.bundle_hash:
        raise BundleError(
            f"the bundle {bundle.path} is not the one that the run began with: start the run again, and see that every "
            f"computer has the same"
        )
    return bundle


@contextlib.contextmanager
def _picture(item: Item) -> Iterator[tuple[PictureFile | None, str | None, Stamp | None]]:
    """The picture as a local file, its hash, and the stamp of a file that stays."""
    if item.image is None:
        yield None, None, None
        return
    with picture_file(item.image, item.depiction) as file:
        digest, stamp = None, stamp_of(item)  # the stamp first: what changes from now on has another one
        with contextlib.suppress(OSError, ValueError):
            digest = picture_hash(file.path)
        yield file, digest, stamp


def _named(file: PictureFile, notices: list[str]) -> Remark:
    """Keeps remarks, with the address where they name the file in memory."""
    return lambda sentence: notices.append(sentence.replace(str(file.path), file.name))


Made = TypeVar("Made")


def _or_failed(item: Item, record: Record, make: Callable[[], Made]) -> Made | Record:
    """What ``make`` gives, or the record of an item that failed for a reason of its own."""
    try:
        return make()
    except (PictureError, CommentError, OptionError) as error:
        return record.failed(str(error))
    except (MemoryError, OSError, cv2.error, ValueError, RuntimeError) as error:  # unforeseen, of this work alone
        said = scrubbed(str(error), item.image) if item.image and is_address(item.image) else str(error)
        return record.failed(f"{type(error).__name__}: {said}" if said else type(error).__name__)


def _request(item: Item) -> Request:
    return Request(None if item.image is None else Path(item.image), item.comment, item.seconds, item.seed)


def _described(record: Record, result: Render) -> Record:
    facts = result.facts
    palette, theme = facts["palette"], facts["theme"]
    return dataclasses.replace(
        record,
        feeling=facts["feeling"]["word"],
        valence=facts["feeling"]["valence"],
        arousal=facts["feeling"]["arousal"],
        emotions=facts["feeling"]["emotions"],
        instruments={} if palette is None else palette["instruments"],
        room=None if palette is None else palette["room"],
        theme=None if theme is None else theme["signature"],
        key=facts["key"],
        mode=facts["mode"],
        tempo=facts["tempo"],
        why=tuple(cause["text"]["en"] for cause in facts["why"]),
        gaze=dwellings_of(facts["gaze"]),
        loudness=facts["levels"]["loudness_lufs"],
        little_to_see=facts["little_to_see"],
        notice="; ".join(each for each in (record.notice, result.notice) if each) or None,
    )
