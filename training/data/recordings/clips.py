"""Recordings to train a vocoder on: audio alone, or audio with its notes and a mel spectrogram from a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import DataError
from a2m_edge.sound.format import AudioFormat
from a2m_edge.synthesis.excitation import excitation
from training.data.recordings.realised import notes_of
from training.losses import LogMelSpectrogram

SUFFIXES = (".wav", ".flac", ".npz")


def clip_files(data: Path | Sequence[Path]) -> list[Path]:
    """The sorted paths of all recordings in ``data``: files as given, and those in folders and their subfolders.

    Raises:
        DataError: there are none, or a path does not exist.
    """
    found: set[Path] = set()
    for place in [data] if isinstance(data, Path) else data:
        if place.is_dir():
            found |= {file for file in place.rglob("*") if file.suffix in SUFFIXES}
        elif place.is_file():
            found.add(place)
        else:
            raise DataError(f"there are no recordings at {place}: build them first")
    if not found:
        raise DataError(f"no {', '.join(SUFFIXES)} file was found in {data}: build the recordings first")
    return sorted(found - {file.with_suffix(".flac") for file in found if file.suffix == ".npz"})


Clip = tuple[Tensor, Tensor, Tensor]
"""The vocoder's inputs, log-mel (bands, T) and excitation (hop * T,), and its target, the sound (C, hop * T)."""


class Clips:
    """Recordings in memory.

    The log-mel of a sound file is computed from it, and its excitation is zero. An ``.npz`` file holds ``mel``
    [bands, T], ``notes`` [N, 5] (start, seconds, pitch, velocity, role) and ``audio`` [N, C]; the audio may instead be
    in a ``.flac`` file of the same name. The longer of mel and audio is cut to the length of the other.

    Raises:
        DataError: a file is unreadable, of another format, or not in this form.
    """

    def __init__(self, files: Sequence[Path], audio: AudioFormat) -> None:
        self.audio = audio
        self._log_mel = LogMelSpectrogram(audio)
        self.clips: list[Clip] = []
        for file in files:
            mel, source, samples = self._read(file)
            frames = min(mel.shape[-1], samples.shape[-1] // audio.hop)
            if frames:
                length = frames * audio.hop
                self.clips.append((mel[:, :frames].clone(), source[:length].clone(), samples[:, :length].clone()))
        self._ends = np.cumsum([clip[0].shape[-1] for clip in self.clips])

    @property
    def seconds(self) -> float:
        """Length of all recordings together."""
        return float(self._ends[-1] * self.audio.hop / self.audio.sample_rate) if self.clips else 0.0

    def batch(self, size: int, frames: int, generator: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Random windows: log-mels (size, bands, frames), excitation (size, hop * frames) and audio
        (size, C, hop * frames).

        Every frame is as likely as any other; recordings shorter than a window are passed over.

        Raises:
            DataError: no recording is as long as a window.
        """
        long = [number for number, clip in enumerate(self.clips) if clip[0].shape[-1] >= frames]
        if not long:
            raise DataError(f"no recording is as long as a training window of {frames} frames")
        lengths = np.array([self.clips[number][0].shape[-1] for number in long], np.float64)
        windows = []
        for number in generator.choice(long, size, p=lengths / lengths.sum()):
            first = int(generator.integers(self.clips[number][0].shape[-1] - frames + 1))
            windows.append(self._window(number, first, frames))
        mels, sources, waveforms = zip(*windows, strict=True)
        return torch.stack(mels), torch.stack(sources), torch.stack(waveforms)

    def excerpts(self, count: int, frames: int) -> list[Clip]:
        """At most ``count`` windows of at most ``frames``, spread evenly over the recordings, the same each time."""
        chosen = np.unique(np.linspace(0, len(self.clips) - 1, count).round().astype(int))
        return [
            self._window(number, max(0, (self.clips[number][0].shape[-1] - frames) // 2), frames) for number in chosen
        ]

    def _window(self, number: int, first: int, frames: int) -> Clip:
        mel, source, samples = self.clips[number]
        hop = self.audio.hop
        span = slice(first * hop, (first + frames) * hop)
        return mel[:, first : first + frames], source[span], samples[:, span]

    def _read(self, file: Path) -> Clip:
        if file.suffix != ".npz":
            waveform = self._sound(file)
            frames = waveform.shape[1] // self.audio.hop
            if waveform.shape[1] < self.audio.window:
                return torch.zeros(self.audio.mel_bands, 0), waveform[0], waveform
            waveform = waveform[:, : frames * self.audio.hop]
            return self._log_mel(waveform.mean(0, keepdim=True))[0], torch.zeros_like(waveform[0]), waveform
        try:
            with file.open("rb") as stream, np.load(stream) as arrays:
                mel, notes = arrays["mel"].astype(np.float32), arrays["notes"]
                samples = self._channels(file, arrays["audio"]) if "audio" in arrays else None
            if mel.ndim != 2 or mel.shape[0] != self.audio.mel_bands or notes.ndim != 2 or notes.shape[1] != 5:
                raise DataError(f"{file} must hold mel [{self.audio.mel_bands}, T] and notes [N, 5]")
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise DataError(f"the recording {file} cannot be read ({error})") from error
        if samples is None:
            samples = self._sound(file.with_suffix(".flac"))
        source = excitation(notes_of(notes), mel, 0, self.audio)
        return torch.from_numpy(mel), torch.from_numpy(source), samples

    def _sound(self, file: Path) -> Tensor:
        try:
            with utf8_path(file) as name:
                samples, rate = soundfile.read(name, dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            raise DataError(f"the recording {file} cannot be read ({error})") from error
        if rate != self.audio.sample_rate:
            raise DataError(f"{file} has {rate} Hz: convert it to {self.audio.sample_rate} Hz first")
        return self._channels(file, samples)

    def _channels(self, file: Path, samples: NDArray[np.floating]) -> Tensor:
        """Samples [N, C] as (C, N), where they have the channels of the format."""
        if samples.ndim != 2 or samples.shape[1] != self.audio.channels:
            raise DataError(f"{file} has not the {self.audio.channels} channels of its folder's format: make it again")
        return torch.from_numpy(np.ascontiguousarray(samples.T, np.float32))
