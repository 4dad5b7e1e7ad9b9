"""MusicCaps' own recordings, for those who have them: kept in the same form as realisations, without a score."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from a2m_edge.audio import AudioFormat, log_mel
from a2m_edge.errors import DataError
from training.data.realisation import Caption, split_of
from training.data.realised import write_realisation


def import_recordings(captions: list[Caption], audio_folder: Path, out: Path, audio: AudioFormat) -> Iterator[Path]:
    """Writes ``out/<split>/<ytid>_0.npz`` for every ``<ytid>.wav`` of the folder that a caption names.

    The sound is mixed to one channel and resampled where its rate differs. The archive has no notes and an empty
    casting, so only a decoder without a score can be trained on it.

    Raises:
        DataError: the folder holds none of the captions' clips, or a file cannot be read.
    """
    files = [audio_folder / f"{caption.clip}.wav" for caption in captions]
    present = [file for file in files if file.is_file()]
    if not present:
        raise DataError(f"{audio_folder} holds no <ytid>.wav of MusicCaps: name the files by the table's ytid")
    for file in present:
        place = out / split_of(file.stem) / f"{file.stem}_0.npz"
        if not place.exists():
            try:
                samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
            except soundfile.SoundFileError as error:
                raise DataError(f"{file} cannot be read ({error}): delete it or fetch it again") from error
            common = gcd(rate, audio.sample_rate)
            mono = resample_poly(samples.mean(1), audio.sample_rate // common, rate // common)
            place.parent.mkdir(parents=True, exist_ok=True)
            mel = log_mel(mono.astype(np.float32), audio)
            write_realisation(place, mel=mel, notes=(), casting=np.zeros(0, np.float32), feeling=(0.0, 0.0))
        yield place
