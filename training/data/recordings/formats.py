"""The sound format that a data folder states: ``format.json`` beside its recordings."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import soundfile

from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import DataError, OptionError
from a2m_edge.output import make_folder, written_aside
from a2m_edge.sound.format import FORMATS, AudioFormat
from a2m_edge.strict_json import StrictJsonError, decode, parse

FILE = "format.json"

_STATE = (
    "name it with --format, or build them again with  a2m-edge data, which goes on with what is there and states it"
)


def state_format(folder: Path, audio: AudioFormat) -> None:
    """Writes into a data folder what its recordings are, before the first of them is made.

    Raises:
        DataError: it holds recordings of another format.
        OutputError: it cannot be written.
    """
    make_folder(folder)
    if (folder / FILE).exists():
        stated = _read(folder / FILE)
        if stated != audio:
            raise DataError(
                f"{folder} holds recordings of another format ({stated}): ask for that one, or name another folder"
            )
        return
    for file in sorted(folder.glob("*/*.flac"))[:1]:
        with utf8_path(file) as name:
            info = soundfile.info(name)
        if (info.samplerate, info.channels) != (audio.sample_rate, audio.channels):
            raise DataError(
                f"{file} has {info.samplerate} Hz and {info.channels} channels, not {audio}: name another folder"
            )
    with written_aside(folder / FILE) as stream:
        stream.write((json.dumps(asdict(audio), indent=2) + "\n").encode())


def read_format(place: Path, otherwise: AudioFormat | None = None) -> AudioFormat:
    """What the recordings in a folder, or the one in a file, are: stated there, or in a folder above.

    Args:
        place: the folder or file.
        otherwise: what they are where nothing states it.

    Raises:
        DataError: nothing states it, or what does makes no sense.
    """
    whole = place.absolute()
    for folder in (whole, *whole.parents[:3]):
        if (folder / FILE).is_file():
            return _read(folder / FILE)
    if otherwise is not None:
        return otherwise
    raise DataError(f"nothing says of what format the recordings in {place} are ({FILE} is missing): {_STATE}")


def one_format(places: list[Path], otherwise: AudioFormat | None = None) -> AudioFormat:
    """The format that several folders or files of recordings share; ``otherwise`` as in ``read_format``.

    Raises:
        DataError: they differ, or one does not state its own.
    """
    first, *others = [(place, read_format(place, otherwise)) for place in places]
    for place, audio in others:
        if audio != first[1]:
            raise DataError(f"{first[0]} holds {first[1]}, {place} {audio}: give recordings of one format")
    return first[1]


def named_format(name: str) -> AudioFormat:
    """A format by its name in ``FORMATS``, or from a JSON file of its fields.

    Raises:
        OptionError: there is none of that name.
        DataError: the file holds no format that makes sense.
    """
    if name in FORMATS:
        return FORMATS[name]
    if not Path(name).is_file():
        raise OptionError(f"there is no sound format {name!r}: choose {', '.join(FORMATS)}, or name a JSON file of one")
    return _read(Path(name))


def _read(file: Path) -> AudioFormat:
    try:
        audio = decode(AudioFormat, parse(file.read_bytes()))
    except (OSError, StrictJsonError) as error:
        raise DataError(f"{file} states no sound format ({error}): mend it, or delete it and build again") from error
    if faults := audio.faults():
        raise DataError(f"{file} states a sound format that makes no sense ({faults[0]}): mend it")
    return audio
