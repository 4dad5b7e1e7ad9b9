"""Many large pictures become one archive of small ones: in blocks, on every core, and gone on with after a stop."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from a2m_edge.errors import DataError, PictureError, first_line
from a2m_edge.jobs.work import Work
from a2m_edge.output import make_folder, written_aside
from a2m_edge.perception.pictures import read_content
from training.data.tables.wikiart import PictureFolder
from training.jobs import JobRunner, Lost

BLOCK = 128
"""Pictures of a part."""

QUALITY = 90
"""Of the JPEGs."""

_MOST_PIXELS = 178_000_000
"""WikiArt has some pictures above the 100 megapixels that an exhibit takes."""

_FORM = 2
"""Goes up when the same pictures are to give other parts."""

_FACTS = "part.json"  # pictures have a folder in their names, so none is called so
_DATE = (1980, 1, 1, 0, 0, 0)  # the same pictures give the same archive


@dataclass
class Packed:
    """What an archive holds, and what it could not.

    Attributes:
        sizes: width and height in pixels of each picture that is in it, by its name.
        unreadable: why a picture is not in it, in a few words, by its name.
    """

    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PackingJob:
    """The name of a part, and name and place of each picture that it is made from."""

    part: str
    pictures: tuple[tuple[str, Path], ...]


@dataclass(frozen=True)
class PackingWork(Work[PackingJob, Path | Lost]):
    """Writes a part: a zip file of stored JPEGs and what ``Packed`` says about them, whole or not at all.

    Attributes:
        side: of ``scaled_jpeg``.
        folder: to write, by its absolute path; it is there.
    """

    side: int
    folder: Path

    def perform(self, prepared: PackingJob) -> Path:
        """Raises ``DataError`` where a file cannot be read (a damaged one can), ``OutputError`` for a full disk."""
        path, packed = self.folder / prepared.part, Packed()
        with written_aside(path) as stream, zipfile.ZipFile(stream, "w") as archive:
            for name, place in prepared.pictures:
                try:
                    content = place.read_bytes()
                except OSError as error:  # no fault of the picture: a disk that is back tomorrow must not cost it
                    raise DataError(f"{place} cannot be read: {error.strerror}; the same command goes on") from error
                try:
                    jpeg, packed.sizes[name] = scaled_jpeg(content, name, self.side)
                except PictureError as error:
                    packed.unreadable[name] = first_line(error)
                else:
                    archive.writestr(zipfile.ZipInfo(name, _DATE), jpeg)
            archive.writestr(zipfile.ZipInfo(_FACTS, _DATE), json.dumps(vars(packed)))
        return path

    def lost(self, job: PackingJob, ending: str) -> Lost:
        """Names the part by its first picture."""
        return Lost(f"the {len(job.pictures)} from {job.pictures[0][0]}", ending)


def scaled_jpeg(content: bytes, name: str, side: int) -> tuple[bytes, tuple[int, int]]:
    """A picture's file as a small one, upright and sRGB.

    Args:
        content: of a file of any format that ``a2m_edge.perception.pictures`` reads.
        name: of the picture, for errors.
        side: pixels of its shorter side afterwards (bicubic); a smaller picture keeps its size.

    Returns:
        a JPEG of ``QUALITY``, and its width and height.

    Raises:
        PictureError: it is no picture, cut off, damaged, or larger than ``_MOST_PIXELS``.
    """
    pixels, (width, height) = read_content(content, name, 2 * side, _MOST_PIXELS)
    scale = min(1.0, side / min(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue(), image.size


def fingerprint(folder: PictureFolder) -> str:
    """SHA-256 of the names, sizes and times of all pictures of a folder, in hexadecimal; no picture is read."""
    return hashlib.sha256("\n".join(f"{name} {folder.checksum(name)}" for name in folder).encode()).hexdigest()


def pack_pictures(folder: PictureFolder, archive: Path, parts: Path, side: int, runner: JobRunner) -> Packed:
    """Writes all pictures of a folder into a zip file; a member keeps the name of its file, whatever that ends in.

    Each block of ``BLOCK`` pictures first becomes a file of its own in ``parts``, which a later call finds again as
    long as the pictures are the same. So a stop loses the blocks in hand alone, and no more pictures are in memory than
    there are processes; on the disk the parts need as much room again as the archive.

    Args:
        folder: of the pictures.
        archive: the zip file to write, whole or not at all.
        parts: folder for the parts; nobody needs it once the archive is there.
        side: see ``scaled_jpeg``.
        runner: does the blocks, on this computer.

    Raises:
        DataError: a file cannot be read, or blocks were lost.
        OutputError: the disk is full, or may not be written.
        SystemExit, KeyboardInterrupt: stopped by a signal; see ``JobRunner.run``.
    """
    place = parts.absolute()
    make_folder(place)
    jobs = list(_jobs(folder, side))
    missing = [job for job in jobs if not (place / job.part).exists()]
    if missing:
        for _ in runner.run(missing, PackingWork(side, place), "parts of the pictures"):
            pass
    packed = Packed()
    with written_aside(archive) as stream, zipfile.ZipFile(stream, "w") as whole:
        for job in jobs:
            path = place / job.part
            try:
                with zipfile.ZipFile(path) as part:
                    facts = json.loads(part.read(_FACTS))
                    for name in facts["sizes"]:
                        whole.writestr(zipfile.ZipInfo(name, _DATE), part.read(name))
            except (zipfile.BadZipFile, KeyError, ValueError) as error:
                raise DataError(f"{path} is damaged ({error}): delete it and run the same command again") from error
            packed.sizes |= {name: (width, height) for name, (width, height) in facts["sizes"].items()}
            packed.unreadable |= facts["unreadable"]
    return packed


def _jobs(folder: PictureFolder, side: int) -> Iterator[PackingJob]:
    names = list(folder)
    for first in range(0, len(names), BLOCK):
        some = names[first : first + BLOCK]
        facts = [_FORM, side, QUALITY, [(name, folder.checksum(name)) for name in some]]
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
        yield PackingJob(f"{digest}.zip", tuple((name, folder.file(name).absolute()) for name in some))
