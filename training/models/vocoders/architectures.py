"""The architectures of vocoders: what is added here can be trained, exported and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from a2m_edge.errors import CheckpointError
from a2m_edge.sound.format import FORMATS, AudioFormat
from training.checkpoint import checkpoint_format, load_config, require_shipped
from training.models.cropped_generator import CroppedGenerator
from training.models.hifigan import CONFIGS, Generator, load_generator
from training.models.vocoders.interface import CroppedVocoder, Vocoder

PUBLIC_FORMAT = FORMATS["22k-mono"]
"""Of the public HiFi-GAN checkpoints, whose files do not say it (github.com/jik876/hifi-gan, config_v1 to v3)."""

FIRST = Generator.architecture
"""The architecture of checkpoints that name none."""


@dataclass(frozen=True)
class VocoderArchitecture:
    """How one kind of vocoder is made.

    Attributes:
        sizes: names of its sizes, which no other architecture has.
        untrained: a size and a sound format to a vocoder with random weights; raises OptionError.
        load: the folder of a checkpoint to its vocoder in evaluation mode; raises CheckpointError.
        cropped: a vocoder of this architecture and its sound format to its form for export, which shares its weights.
    """

    sizes: Iterable[str]
    untrained: Callable[[str, AudioFormat], Vocoder]
    load: Callable[[Path], Vocoder]
    cropped: Callable[[Any, AudioFormat], CroppedVocoder]


ARCHITECTURES = {
    Generator.architecture: VocoderArchitecture(
        sizes=CONFIGS,
        untrained=lambda size, audio: Generator(CONFIGS[size].for_format(audio)),
        load=load_generator,
        cropped=lambda generator, audio: CroppedGenerator(generator, audio.edge),
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
    require_shipped(path)
    if not path.is_dir():
        return load_generator(path)
    name = load_config(path, "vocoder").get("architecture", FIRST)
    if name not in ARCHITECTURES:
        raise CheckpointError(
            f"the vocoder in {path} has the architecture {name!r}, which is not known here: give one of "
            f"{', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name].load(path)


def vocoder_format(path: Path) -> AudioFormat:
    """The sound that a vocoder was trained on: what a checkpoint folder states; of public files ``PUBLIC_FORMAT``.

    Raises:
        CheckpointError: a folder states none, or is damaged.
    """
    return checkpoint_format(path, "vocoder") if path.is_dir() else PUBLIC_FORMAT


def cropped_vocoder(vocoder: Vocoder, audio: AudioFormat) -> CroppedVocoder:
    """The vocoder as it is exported, for sound of a format."""
    return ARCHITECTURES[vocoder.architecture].cropped(vocoder, audio)
