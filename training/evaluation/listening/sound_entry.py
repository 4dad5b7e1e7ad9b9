"""The input and output of a network of sound: the entry that stands beside an ONNX file.

An entry is a small JSON file (``name.json`` beside ``name.onnx``) with every key of ``Entry``; its ``features`` have
every key of ``LogMelFeatures`` or of ``Waveform``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from a2m_edge import strict_json
from a2m_edge.errors import DataError


@dataclass(frozen=True)
class Waveform:
    """The network's input is samples.

    Attributes:
        layout: ``"time"`` for [N, samples], ``"channel time"`` for [N, 1, samples].
    """

    kind: Literal["waveform"]
    layout: Literal["time", "channel time"]


@dataclass(frozen=True)
class LogMelFeatures:
    """The network's input is logarithmic mels.

    The steps: ``y[n] = x[n + 1] - pre_emphasis x[n]`` (none at 0), reflection by half of ``n_fft`` on both sides,
    frames of ``n_fft`` samples every ``hop``, a Hann window of ``window`` samples in their middle, |spectrum| to the
    ``power``, ``bands`` triangles between ``low`` and ``high``, the logarithm, then ``(value + offset) x scale``.

    Attributes:
        window_kind: whether the Hann window ends with a zero (``symmetric``) or one sample before it.
        mel_scale: ``slaney`` (linear below 1 kHz), ``htk`` (2595 log10(1 + f / 700)), ``kaldi`` (1127 ln(1 + f / 700)).
        triangles: on which axis their sides are straight.
        area: each filter has unit area; else its peak is 1.
        low, high: edges in Hz.
        power: 1 for magnitude, 2 for power.
        logarithm: ``ln``, or ``db`` for 10 log10.
        floor: what keeps the logarithm finite, and whether it is added or is the least value (``floor_kind``).
        layout: order of the axes of the input; ``channel`` has the size 1.
    """

    kind: Literal["logmel"]
    layout: Literal["band time", "channel band time", "time band", "channel time band"]
    n_fft: int
    window: int
    hop: int
    window_kind: Literal["hann symmetric", "hann periodic"]
    pre_emphasis: float
    mel_scale: Literal["slaney", "htk", "kaldi"]
    triangles: Literal["mel", "hertz"]
    area: bool
    bands: int
    low: float
    high: float
    power: float
    logarithm: Literal["ln", "db"]
    floor: float
    floor_kind: Literal["add", "least"]
    offset: float
    scale: float


@dataclass(frozen=True)
class Entry:
    """The input and the output of a network.

    Attributes:
        name: for the report.
        sample_rate: Hz.
        features: the form of its input.
        input, output: names of the tensors; the output must be [N, size].
        window_seconds: of sound in one input.
        hop_seconds: from one window to the next.
        fill: what becomes of a window that the sound does not fill: it stays short, or ends in silence, or is repeated.
    """

    name: str
    sample_rate: int
    features: Waveform | LogMelFeatures
    input: str
    output: str
    window_seconds: float
    hop_seconds: float
    fill: Literal["nothing", "silence", "repeat"]


EFFICIENTAT = Entry(
    name="EfficientAT mn04 (AudioSet)",
    sample_rate=32_000,
    features=LogMelFeatures(
        kind="logmel",
        layout="channel band time",
        n_fft=1024,
        window=800,
        hop=320,
        window_kind="hann symmetric",
        pre_emphasis=0.97,
        mel_scale="kaldi",
        triangles="mel",
        area=False,
        bands=128,
        low=0.0,
        high=15_000.0,
        power=2.0,
        logarithm="ln",
        floor=1e-5,
        floor_kind="add",
        offset=4.5,
        scale=0.2,
    ),
    input="logmel",
    output="embedding",
    window_seconds=10.0,
    hop_seconds=10.0,
    fill="nothing",
)
"""EfficientAT (Schmid, Koutini & Widmer 2023, arXiv 2211.04772); it was trained on clips of 10 s."""

JAMENDO = Entry(
    name="MTG-Jamendo mood and theme",
    sample_rate=12_000,
    features=LogMelFeatures(
        kind="logmel",
        layout="band time",
        n_fft=512,
        window=512,
        hop=256,
        window_kind="hann periodic",
        pre_emphasis=0.0,
        mel_scale="slaney",
        triangles="hertz",
        area=True,
        bands=96,
        low=0.0,
        high=6_000.0,
        power=2.0,
        logarithm="db",
        floor=1e-9,
        floor_kind="least",
        offset=0.0,
        scale=1.0,
    ),
    input="logmel",
    output="logits",
    window_seconds=29.12,
    hop_seconds=29.12,
    fill="repeat",
)
"""The baseline of MTG-Jamendo (Bogdanov et al. 2019); its input is 1366 frames, no more and no fewer."""


def read_entry(path: Path) -> Entry:
    """Reads the description of a network's input.

    Raises:
        DataError: the file is missing, is no JSON, lacks a key, has one more, or holds a value that cannot be.
    """
    try:
        record = strict_json.parse(path.read_bytes())
        if isinstance(record, dict):
            _decode_features(record.get("features"))
        entry = strict_json.decode(Entry, record)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}): describe there what the network hears, as Entry in "
            f"training/evaluation/listening/sound_entry.py states"
        ) from error
    except strict_json.StrictJsonError as error:
        raise DataError(f"{path} does not describe what a network hears: {error}") from error
    problem = _problem(entry)
    if problem:
        raise DataError(f"{path} does not describe what a network hears: {problem}")
    return entry


def _decode_features(record: object) -> None:
    """Says what is wrong with the features of the kind they claim to be, where a union could only guess the kind."""
    if not isinstance(record, dict):
        return
    try:
        strict_json.decode(Waveform if record.get("kind") == "waveform" else LogMelFeatures, record)
    except strict_json.StrictJsonError as error:
        raise strict_json.StrictJsonError(f"features.{error}") from error


def _problem(entry: Entry) -> str:
    """What cannot be in an entry whose keys and types are right; empty where all is well."""
    if not 1000 <= entry.sample_rate <= 384_000:
        return "sample_rate must be from 1000 to 384000 Hz"
    if not (0.1 <= entry.window_seconds <= 600 and 0.1 <= entry.hop_seconds <= 600):
        return "window_seconds and hop_seconds must be from 0.1 to 600"
    kind = entry.features
    if isinstance(kind, Waveform):
        return ""
    if not (2 <= kind.window <= kind.n_fft <= 1 << 16 and 1 <= kind.hop <= kind.n_fft):
        return "features.window and features.hop must be from 1 to features.n_fft, and that at most 65536"
    if not (0 <= kind.low < kind.high <= entry.sample_rate / 2):
        return "features.low and features.high must lie in this order between 0 and half the sample rate"
    if not (1 <= kind.bands <= kind.n_fft // 2):
        return "features.bands must be from 1 to half of features.n_fft"
    if not (kind.power > 0 and kind.floor > 0 and kind.scale and 0 <= kind.pre_emphasis < 1):
        return (
            "features.power and features.floor must be above 0, features.scale not 0, features.pre_emphasis in [0, 1)"
        )
    return ""
