"""One work rendered: the function that every engine calls, in whatever process."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from a2m_edge.bundle import Bundle, open_bundle
from a2m_edge.collection.contact_sheet import write_thumbnail
from a2m_edge.collection.fetching import is_address
from a2m_edge.collection.image_api import picture_file
from a2m_edge.collection.index import Record, Stamp, work_hash
from a2m_edge.collection.items import Item
from a2m_edge.collection.sound_files import encode_sound, sound_format, write_sound
from a2m_edge.errors import BundleError, CommentError, OptionError, PictureError
from a2m_edge.pictures import MAXIMUM_BYTES
from a2m_edge.render import Render, Request, render
from a2m_edge.soundscape import Soundscape

SOUNDS = "sounds"
"""Where the sound files lie, below the folder of the run."""


@dataclass(frozen=True)
class RenderOptions:
    """What is the same for all works of a run; small, so that it can be sent to any process.

    Attributes:
        output: folder of the run; it and its folder ``SOUNDS`` exist.
        sound_format: name of a ``SoundFormat``.
        bundle: folder of the bundle, or None for the one that is installed.
        bundle_hash: which that must have.
        device, threads: as in ``a2m_edge.sessions.open_session``.
        thumbnails: whether a thumbnail of each picture is written for the contact sheet.
    """

    output: str
    sound_format: str
    bundle: str | None
    bundle_hash: str
    device: str = "cpu"
    threads: int = 1
    thumbnails: bool = False


def render_item(item: Item, options: RenderOptions) -> Record:
    """Renders a work and writes its sound; the models stay loaded in this process for the next one.

    Returns:
        what the index says about it. An item that cannot be rendered, for whatever reason that lies in it, comes
        back with its ``error`` and without a sound.

    Raises:
        OutputError: the sound cannot be written: no other one could be, either.
        BundleError, DeviceError, MissingExtraError: the models cannot be used here.
    """
    record = Record.begin(item)
    if item.problem is not None:
        return record.failed(item.problem)
    bundle, models = load_models(options)
    begun = time.monotonic()
    try:
        with _picture(item) as (path, digest, stamp):
            fetched = time.monotonic()
            result = render(Request(path, item.comment, item.seconds, item.seed), bundle, models=models)
        rendered = time.monotonic()
        kind = sound_format(options.sound_format)
        content = encode_sound(result.samples, result.sample_rate, kind)
    except (PictureError, CommentError, OptionError) as error:
        return record.failed(str(error))
    except (MemoryError, OSError, cv2.error, ValueError, RuntimeError) as error:  # unforeseen, of this work alone
        return record.failed(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    output = Path(options.output)
    sound = f"{SOUNDS}/{item.id}.{kind.name}"
    sha256 = write_sound(output / sound, content)
    if options.thumbnails and result.panel.painting is not None:
        write_thumbnail(output, item.id, result.panel.painting)
    timings = {"fetch": fetched - begun, "render": rendered - fetched, "write": time.monotonic() - rendered}
    return dataclasses.replace(
        _described(record, result),
        work=work_hash(item, digest, options.bundle_hash, options.sound_format),
        input=digest,
        stamp=stamp,
        sound=sound,
        sha256=sha256,
        size=len(content),
        timings={name: round(seconds, 3) for name, seconds in timings.items()},
        peak_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


@functools.lru_cache(maxsize=1)
def load_models(options: RenderOptions) -> tuple[Bundle, Soundscape]:
    """The bundle and its models, kept for the life of this process.

    Raises:
        BundleError: the bundle is not the one that the run began with, or cannot be used.
        DeviceError, MissingExtraError: the models cannot be used here.
    """
    bundle = open_bundle(None if options.bundle is None else Path(options.bundle))
    if bundle.hash != options.bundle_hash:
        raise BundleError(f"the bundle {bundle.path} was changed while it was in use: start the run again")
    return bundle, Soundscape(bundle, device=options.device, threads=options.threads)


def picture_stamp(path: Path) -> Stamp:
    """Size and time of a file.

    Raises:
        OSError, ValueError: there is no such file, or its name cannot be one.
    """
    status = path.stat()
    return Stamp(status.st_size, status.st_mtime_ns)


def picture_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _picture(item: Item) -> Iterator[tuple[Path | None, str | None, Stamp | None]]:
    """The picture as a local file, its hash, and the stamp of a file that stays."""
    if item.image is None:
        yield None, None, None
        return
    with picture_file(item.image) as path:
        digest, stamp = None, None
        # What is no plain file is left to the reader of pictures, which refuses it: a pipe would never end.
        with contextlib.suppress(OSError, ValueError):
            if path.is_file() and path.stat().st_size <= MAXIMUM_BYTES:
                stamp = None if is_address(item.image) else picture_stamp(path)
                digest = picture_hash(path)
        yield path, digest, stamp


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
        loudness=facts["levels"]["loudness_lufs"],
        notice=result.notice,
    )
