"""The architectures of vocoders: what is added here can be trained, exported and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from a2m_edge.errors import CheckpointError
from training.checkpoint import load_config
from training.models.cropped_generator import CroppedGenerator
from training.models.hifigan import CONFIGS, Generator, load_generator
from training.models.vocoders.interface import CroppedVocoder, Vocoder

FIRST = Generator.architecture
"""The architecture of checkpoints that name none."""


@dataclass(frozen=True)
class VocoderArchitecture:
    """How one kind of vocoder is made.

    Attributes:
        sizes: names of its sizes, which no other architecture has.
        untrained: a size to a vocoder with random weights.
        load: the folder of a checkpoint to its vocoder in evaluation mode; raises CheckpointError.
        cropped: a vocoder of this architecture to its form for export, which shares its weights.
    """

    sizes: Iterable[str]
    untrained: Callable[[str], Vocoder]
    load: Callable[[Path], Vocoder]
    cropped: Callable[[Any], CroppedVocoder]


ARCHITECTURES = {
    Generator.architecture: VocoderArchitecture(
        CONFIGS, lambda size: Generator(CONFIGS[size]), load_generator, CroppedGenerator
    )
}


def vocoder_sizes() -> dict[str, VocoderArchitecture]:
    """Every size that an untrained vocoder can have, and the architecture that has it."""
    return {size: architecture for architecture in ARCHITECTURES.values() for size in architecture.sizes}


def load_vocoder(path: Path) -> Vocoder:
    """Reads a vocoder, in evaluation mode.

    Args:
        path: a checkpoint folder of this project, or a public HiFi-GAN checkpoint as ``load_generator`` takes it.

    Raises:
        CheckpointError: missing, damaged, unsafe to load, or of an architecture or size that is not known.
    """
    if not path.is_dir():
        return load_generator(path)
    name = load_config(path, "vocoder").get("architecture", FIRST)
    if name not in ARCHITECTURES:
        raise CheckpointError(
            f"the vocoder in {path} has the architecture {name!r}, which is not known here: give one of "
            f"{', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name].load(path)


def cropped_vocoder(vocoder: Vocoder) -> CroppedVocoder:
    """The vocoder as it is exported."""
    return ARCHITECTURES[vocoder.architecture].cropped(vocoder)
