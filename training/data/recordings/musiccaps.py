"""MusicCaps' own recordings, for those who have them: kept in the same form as realisations, without a score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import DataError
from a2m_edge.jobs.work import Work
from a2m_edge.output import make_folder
from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import downmix, log_mel
from training.data.recordings.formats import state_format
from training.data.recordings.realised import write_realisation
from training.data.tables.captions import Caption, split_of
from training.jobs import JobRunner, Lost


@dataclass(frozen=True)
class RecordingWork(Work[Path, Path | Lost]):
    """Writes ``out/<split>/<ytid>_0.npz`` for ``<ytid>.wav``; both paths are absolute."""

    out: Path
    audio: AudioFormat

    def perform(self, prepared: Path) -> Path:
        """See ``import_recordings``."""
        try:
            with utf8_path(prepared) as name:
                samples, rate = soundfile.read(name, dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            raise DataError(f"{prepared} cannot be read ({error}): delete it or fetch it again") from error
        common = gcd(rate, self.audio.sample_rate)
        mono = resample_poly(downmix(samples), self.audio.sample_rate // common, rate // common)
        place = recording_file(prepared, self.out)
        make_folder(place.parent)
        mel = log_mel(mono.astype(np.float32)[:, None], self.audio)
        write_realisation(place, mel=mel, notes=(), casting=np.zeros(0, np.float32), feeling=(0.0, 0.0))
        return place

    def lost(self, job: Path, ending: str) -> Lost:
        """Names the file."""
        return Lost(str(job), ending)


def recording_file(sound: Path, out: Path) -> Path:
    """Where the archive of ``<ytid>.wav`` is written below ``out``."""
    return out / split_of(sound.stem) / f"{sound.stem}_0.npz"


def import_recordings(
    captions: Sequence[Caption], audio_folder: Path, out: Path, audio: AudioFormat, runner: JobRunner
) -> Iterator[Path]:
    """Writes ``out/<split>/<ytid>_0.npz`` for every ``<ytid>.wav`` of the folder that a caption names.

    Each file that is made is yielded; those that exist are passed over. The sound is mixed to one channel and resampled
    where its rate differs. The archive has no notes and an empty casting, so only a decoder without a score can be
    trained on it.

    Raises:
        DataError: the folder holds none of the captions' clips, or a file cannot be read; or files were lost, and all
            others are done.
        OutputError: a file cannot be written.
        SystemExit, KeyboardInterrupt: stopped by a signal; see ``JobRunner.run``.
    """
    files = [audio_folder.absolute() / f"{caption.clip}.wav" for caption in captions]
    present = [file for file in files if file.is_file()]
    if not present:
        raise DataError(f"{audio_folder} holds no <ytid>.wav of MusicCaps: name the files by the table's ytid")
    place = out.absolute()
    state_format(place, audio)
    jobs = [file for file in present if not recording_file(file, place).exists()]
    if jobs:
        yield from runner.run(jobs, RecordingWork(place, audio), "recordings")
