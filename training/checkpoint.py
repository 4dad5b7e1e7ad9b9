"""Checkpoints: a folder with ``model.safetensors`` and ``config.json``; no pickle is ever loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import CheckpointError
from a2m_edge.output import make_folder, written_aside
from a2m_edge.sound.format import AudioFormat
from a2m_edge.strict_json import StrictJsonError, decode

SHIPPED = Path(__file__).resolve().with_name("checkpoints")
"""The checkpoints behind the default bundle: the repository has them; a package, which they would double, has not."""

KINDS = ("encoder", "fusion", "decoder", "vocoder", "subjects")


def save_checkpoint(folder: Path, model: nn.Module, config: Mapping[str, Any], half: bool = False) -> None:
    """Writes a checkpoint, each file aside first and then renamed, so that an old one is never half replaced.

    Args:
        folder: made if it is missing.
        model: its whole state dict is saved.
        config: what rebuilds the model; ``config["kind"]`` is one of ``KINDS``.
        half: store floating point weights as float16 (integer tensors stay as they are).

    Raises:
        OutputError: the folder cannot be written.
        ValueError: the config names no known kind.
    """
    if config.get("kind") not in KINDS:
        raise ValueError(f"config['kind'] must be one of {KINDS}, not {config.get('kind')!r}")
    make_folder(folder)
    tensors = {
        name: (value.half() if half and value.is_floating_point() else value).detach().cpu().contiguous().clone()
        for name, value in model.state_dict().items()
    }
    with written_aside(folder / "model.safetensors") as stream:
        stream.write(save(tensors))
    with written_aside(folder / "config.json") as stream:
        stream.write((json.dumps(config, indent=2, sort_keys=True) + "\n").encode())


def load_checkpoint(folder: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads a checkpoint of ``kind``: its state dict on the CPU (floats as float32) and its config.

    Raises:
        CheckpointError: it is missing, damaged, or of another kind.
    """
    config = load_config(folder, kind)
    return read_safetensors(folder / "model.safetensors"), config


def checkpoint_format(folder: Path, kind: str) -> AudioFormat:
    """The sound that a checkpoint of a decoder or a vocoder was trained on, as its config states it.

    Raises:
        CheckpointError: it is missing, damaged or of another kind, or states no format that makes sense.
    """
    stated = load_config(folder, kind).get("audio")
    try:
        audio = decode(AudioFormat, stated)
    except StrictJsonError as error:
        raise CheckpointError(
            f"the {kind} in {folder} states no whole sound format ({error}): train it again, or add the fields of "
            f'"audio" to its config.json'
        ) from error
    if faults := audio.faults():
        raise CheckpointError(f"the {kind} in {folder} states a sound format that makes no sense ({faults[0]})")
    return audio


def require_shipped(path: Path) -> None:
    """Says where the checkpoints behind the default bundle are, if one of them is asked for and is not here.

    Raises:
        CheckpointError: it is not.
    """
    if path.resolve().parent == SHIPPED and not path.exists():
        raise CheckpointError(
            f"the package that is installed has no checkpoints, and this needs that of the {path.name}: clone the "
            f'repository, which has them in training/checkpoints, run  pip install -e ".[cpu,train]"  there, or name a '
            f"checkpoint of your own with --{path.name}"
        )


def load_config(folder: Path, kind: str) -> dict[str, Any]:
    """The config of a checkpoint of ``kind``.

    Raises:
        CheckpointError: it is missing, damaged, or of another kind.
    """
    require_shipped(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"there is no checkpoint in {folder}: config.json cannot be read") from error
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'} is damaged ({error}): train or fetch it again") from error
    found = config.get("kind") if isinstance(config, dict) else None
    if not isinstance(config, dict) or found != kind:
        raise CheckpointError(f"{folder} holds a checkpoint of kind {found!r}: give one of kind {kind!r}")
    return config


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of one file on the CPU, floats as float32.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        with utf8_path(path) as name:
            tensors = load_file(name)
    except FileNotFoundError as error:
        raise CheckpointError(f"there are no weights {path}: train or fetch them again") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"the weights {path} are damaged ({error}): train or fetch them again") from error
    return {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Loads a state dict whose names and shapes must be exactly the model's.

    Raises:
        CheckpointError: a tensor is missing, left over, or of another shape; ``source`` is named.
    """
    try:
        model.load_state_dict(dict(state))
    except RuntimeError as error:
        raise CheckpointError(f"the weights in {source} do not fit the model: {error}") from error
