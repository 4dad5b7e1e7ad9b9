"""Sounds as files of four formats, made whole in memory: the same samples give the same bytes."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from a2m_edge.errors import OptionError, OutputError
from a2m_edge.sound.resampling import resample
from a2m_edge.sound.wav import quantised, write_wav

_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

_OPUS_LEVEL = 0.64
"""libsndfile makes this 96 kbit/s for each channel: 6,000 + (1 - level) x 250,000 (ogg_opus.c)."""

_MP3_LEVEL = 0.2
"""The second best of LAME's ten variable bit rates."""

_OGG_PAGE_HEADER = 27
_BITS_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BLOCK = 1 << 16


@dataclass(frozen=True)
class SoundFormat:
    """A way to keep sound in a file.

    Attributes:
        name: as it is asked for; the files end in it too.
        sample_rates: Hz that the format allows; empty where it allows all.
        container, subtype: what libsndfile calls it.
    """

    name: str
    sample_rates: tuple[int, ...]
    container: str
    subtype: str

    def sample_rate(self, source_rate: int) -> int:
        """The rate (Hz) at which a sound of a rate is kept: its own, else the next higher one, else the highest."""
        if not self.sample_rates or source_rate in self.sample_rates:
            return source_rate
        return min((rate for rate in self.sample_rates if rate > source_rate), default=self.sample_rates[-1])


SOUND_FORMATS = {
    each.name: each
    for each in (
        SoundFormat("flac", (), "FLAC", "PCM_16"),
        SoundFormat("wav", (), "WAV", "PCM_16"),
        SoundFormat("opus", _OPUS_RATES, "OGG", "OPUS"),
        SoundFormat("mp3", _MP3_RATES, "MP3", "MPEG_LAYER_III"),
    )
}
"""FLAC and WAV hold the same 16-bit samples, dithered; Opus about 96 kbit/s a channel; MP3 a variable rate of high
quality."""


def sound_format(name: str) -> SoundFormat:
    """A format by its name.

    Raises:
        OptionError: there is none of that name.
    """
    if name not in SOUND_FORMATS:
        raise OptionError(f"there is no sound format {name!r}: choose {', '.join(SOUND_FORMATS)}")
    return SOUND_FORMATS[name]


def encode_sound(samples: NDArray[np.float32], sample_rate: int, kind: SoundFormat) -> bytes:
    """A sound as the bytes of a file.

    What the format cannot keep at its own rate is resampled (see ``a2m_edge.sound.resampling``).

    Args:
        samples: float32 [N, C] in [-1, 1], N >= 1; values beyond are clipped.
        sample_rate: Hz.
        kind: of the file.

    Raises:
        OutputError: libsndfile was built without this format.
        ValueError: a sample is not finite.
    """
    file = io.BytesIO()
    if kind.name == "wav":
        write_wav(file, samples, sample_rate)
        return file.getvalue()
    if not np.isfinite(samples).all():
        raise ValueError("a sample is not finite")
    rate = kind.sample_rate(sample_rate)
    sound = np.clip(resample(samples, sample_rate, rate), -1.0, 1.0)
    # The lossy encoders take a quality; FLAC's level says only how hard it packs, 0.5 is its usual one.
    level = {"opus": _OPUS_LEVEL, "mp3": _MP3_LEVEL}.get(kind.name, 0.5)
    mode = {"bitrate_mode": "VARIABLE"} if kind.name == "mp3" else {}
    try:
        with soundfile.SoundFile(
            file, "w", rate, samples.shape[1], kind.subtype, format=kind.container, compression_level=level, **mode
        ) as writer:
            for block in quantised(sound) if kind.name == "flac" else _blocks(sound):
                writer.write(block)
    except soundfile.LibsndfileError as error:
        raise OutputError(
            f"this libsndfile cannot write {kind.name} ({error.error_string}): pip install --upgrade soundfile, or "
            f"choose another format"
        ) from error
    return _with_fixed_serial(file.getvalue()) if kind.container == "OGG" else file.getvalue()


def _blocks(sound: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [sound[begin : begin + _BLOCK] for begin in range(0, len(sound), _BLOCK)]


def _with_fixed_serial(ogg: bytes) -> bytes:
    """An Ogg file whose stream has serial number 1 instead of a random one, with the checksums set right (RFC 3533)."""
    data, begin = bytearray(ogg), 0
    while begin < len(data):
        segments = data[begin + 26]
        end = begin + _OGG_PAGE_HEADER + segments
        end += sum(data[begin + _OGG_PAGE_HEADER : end])
        data[begin + 14 : begin + 18] = (1).to_bytes(4, "little")
        data[begin + 22 : begin + 26] = bytes(4)
        data[begin + 22 : begin + 26] = _ogg_checksum(bytes(data[begin:end])).to_bytes(4, "little")
        begin = end
    return bytes(data)


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 without reflection and inversion, by way of zlib's, which has both."""
    reflected = zlib.crc32(page.translate(_BITS_TURNED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)
