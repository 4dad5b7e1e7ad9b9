"""Every trainer on tiny data: in this process, or, as the program of ``torchrun``, in several.

``torchrun --nproc-per-node 2 -m tests.parallel_trainings FOLDER``  trains each in ``FOLDER/several``, once without and
once with a stop on the way.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import soundfile
import torch

from tests.test_decoder_training import SMALL, write_clips, write_pairs
from tests.test_encoder_training import tiny_encoder, write_data
from tests.test_vocoder_training import AUDIO, TINY, tones
from training import parallel
from training.models.discriminators import MultiPeriodDiscriminator, MultiScaleDiscriminator
from training.models.hifigan import CONFIGS
from training.models.mel_decoder import PaperDecoderConfig
from training.progress import Report
from training.trainer import RunOptions
from training.trainers.decoder import train_decoder
from training.trainers.encoder import train_encoder
from training.trainers.fusion import train_fusion
from training.trainers.paper_decoder import train_paper_decoder
from training.trainers.vocoder import train_vocoder

STEPS, STOP = 8, 3
TRAININGS = ("encoder", "fusion", "decoder", "paper", "reconstruction", "adversarial")
BATCH = 9
"""Not to be divided evenly."""


def prepare(folder: Path) -> None:
    """Writes what the trainings learn from."""
    for name in ("data", "clips", "recordings"):
        (folder / name).mkdir()
    write_data(folder / "data")
    tiny_encoder().save(folder / "tiny-encoder")
    write_clips(folder / "clips")
    write_pairs(folder / "fused.npz")
    for number in range(2):
        soundfile.write(folder / "recordings" / f"{number}.wav", tones(1.5, number), AUDIO.sample_rate)


def train(folder: Path, name: str, options: RunOptions) -> None:
    """Trains one of ``TRAININGS`` on what ``prepare`` wrote."""
    recordings = folder / "recordings"
    trainers: dict[str, Callable[[], object]] = {
        "encoder": lambda: train_encoder(
            options, data=folder / "data", start=folder / "tiny-encoder", batch=2 * BATCH, pictures=12, dropout=False
        ),
        "fusion": lambda: train_fusion(
            options, data=folder / "data", encoder=folder / "tiny-encoder", batch=BATCH, dropout=0.0
        ),
        "decoder": lambda: train_decoder(options, data=folder / "clips", config=SMALL, batch=BATCH, frames=24),
        "paper": lambda: train_paper_decoder(
            options,
            data=folder / "clips",
            fused=folder / "fused.npz",
            config=PaperDecoderConfig(frames=20, hidden=8, layers=1),
            batch=BATCH,
        ),
    }
    for stage in ("reconstruction", "adversarial"):
        trainers[stage] = lambda: train_vocoder(
            options, data=recordings, held_out=recordings, config="tiny", stage=name, batch=3, frames=16
        )
    with (
        patch.dict(CONFIGS, tiny=TINY),
        patch.multiple(
            "training.trainers.vocoder",
            MultiPeriodDiscriminator=lambda: MultiPeriodDiscriminator((2, 3), (4, 8, 8, 8)),
            MultiScaleDiscriminator=lambda: MultiScaleDiscriminator(16),
        ),
    ):
        trainers[name]()


@contextlib.contextmanager
def stopped_after(step: int, process: int = 0) -> Iterator[None]:
    """Ctrl-C comes to one of the processes after so many steps."""
    tell = Report.step

    def telling(report: Report, scalars: Mapping[str, float], rate: float) -> None:
        tell(report, scalars, rate)
        if report._run.step == step and parallel.rank() == process:
            signal.raise_signal(signal.SIGINT)

    with patch.object(Report, "step", telling), contextlib.suppress(KeyboardInterrupt):
        yield


def train_all(folder: Path, out: Path, trainings: Sequence[str] = TRAININGS) -> None:
    """Each training without a stop in ``out/whole``, and with one in ``out/stopped``, which the last process hears."""
    torch.set_num_threads(1)
    for name in trainings:
        train(folder, name, RunOptions(out / "whole" / name, STEPS, device="cpu", average=0.9))
        options = RunOptions(out / "stopped" / name, STEPS, device="cpu", average=0.9)
        with stopped_after(STOP, parallel.count() - 1):
            train(folder, name, options)
        again = RunOptions(out / "stopped" / name, STEPS, device="cpu", average=0.9, resume=True)
        train(folder, name, again)


if __name__ == "__main__":
    with parallel.joined():
        train_all(Path(sys.argv[1]), Path(sys.argv[1]) / "several")
