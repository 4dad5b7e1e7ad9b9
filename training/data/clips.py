"""Recordings for a vocoder: audio alone, or audio with the mel that a decoder gave for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from a2m_edge.audio import AudioFormat
from a2m_edge.errors import DataError
from training.losses import LogMel

SUFFIXES = (".wav", ".flac", ".npz")


def clip_files(data: Path | Sequence[Path]) -> list[Path]:
    """The recordings among ``data`` (files as they are given, folders searched in depth), sorted.

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
    return sorted(found)


class Clips:
    """Recordings in memory, each with the log-mel (bands, T) to hear and the audio (hop * T,) to give.

    A sound file gives its own log-mel. An ``.npz`` gives the pair in the arrays ``mel`` [bands, T] and ``audio``
    [N], aligned; what one has more than the other is left out.

    Raises:
        DataError: a file is unreadable, of another sample rate, or not in this form.
    """

    def __init__(self, files: Sequence[Path], audio: AudioFormat) -> None:
        self.audio = audio
        self._log_mel = LogMel(audio)
        self.pairs: list[tuple[Tensor, Tensor]] = []
        for file in files:
            mel, samples = self._read(file)
            frames = min(mel.shape[-1], samples.shape[-1] // audio.hop)
            if frames:
                self.pairs.append((mel[:, :frames].clone(), samples[: frames * audio.hop]))
        self._ends = np.cumsum([mel.shape[-1] for mel, _ in self.pairs])

    @property
    def seconds(self) -> float:
        """Length of all recordings together."""
        return float(self._ends[-1] * self.audio.hop / self.audio.sample_rate) if self.pairs else 0.0

    def batch(self, size: int, frames: int, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Random windows: log-mels (size, bands, frames) and audio (size, hop * frames).

        Every frame is as likely as any other; recordings shorter than a window are passed over.

        Raises:
            DataError: no recording is as long as a window.
        """
        long = [number for number, (mel, _) in enumerate(self.pairs) if mel.shape[-1] >= frames]
        if not long:
            raise DataError(f"no recording is as long as a training window of {frames} frames")
        lengths = np.array([self.pairs[number][0].shape[-1] for number in long], np.float64)
        mels, waveforms = [], []
        for number in generator.choice(long, size, p=lengths / lengths.sum()):
            mel, samples = self.pairs[number]
            first = int(generator.integers(mel.shape[-1] - frames + 1))
            mels.append(mel[:, first : first + frames])
            waveforms.append(samples[first * self.audio.hop : (first + frames) * self.audio.hop])
        return torch.stack(mels), torch.stack(waveforms)

    def excerpts(self, count: int, frames: int) -> list[tuple[Tensor, Tensor]]:
        """At most ``count`` windows of at most ``frames``, spread evenly over the recordings, the same each time."""
        chosen = np.unique(np.linspace(0, len(self.pairs) - 1, count).round().astype(int))
        windows = []
        for number in chosen:
            mel, samples = self.pairs[number]
            first = max(0, (mel.shape[-1] - frames) // 2)
            hop = self.audio.hop
            windows.append((mel[:, first : first + frames], samples[first * hop : (first + frames) * hop]))
        return windows

    def _read(self, file: Path) -> tuple[Tensor, Tensor]:
        try:
            if file.suffix == ".npz":
                with np.load(file, allow_pickle=False) as arrays:
                    mel, samples = arrays["mel"], arrays["audio"]
                if mel.ndim != 2 or mel.shape[0] != self.audio.mel_bands or samples.ndim != 1:
                    raise DataError(f"{file} must hold mel [{self.audio.mel_bands}, T] and audio [N]")
                return torch.from_numpy(mel.astype(np.float32)), torch.from_numpy(samples.astype(np.float32))
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        except (OSError, KeyError, ValueError, soundfile.SoundFileError) as error:
            raise DataError(f"the recording {file} cannot be read ({error})") from error
        if rate != self.audio.sample_rate:
            raise DataError(f"{file} has {rate} Hz: convert it to {self.audio.sample_rate} Hz first")
        waveform = torch.from_numpy(np.ascontiguousarray(samples.mean(axis=1)))
        waveform = waveform[: waveform.shape[0] // self.audio.hop * self.audio.hop]
        if waveform.shape[0] < self.audio.window:
            return torch.zeros(self.audio.mel_bands, 0), waveform
        return self._log_mel(waveform[None])[0], waveform
