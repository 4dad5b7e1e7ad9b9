"""Networks that place a sound in a space of meaning: what FAD, KAD, diversity and novelty are measured in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle.plain_files import utf8_path
from a2m_edge.errors import A2MError, DataError, MissingExtraError, first_line
from training.evaluation.listening.sound_entry import EFFICIENTAT, Entry, Waveform, read_entry
from training.evaluation.listening.sound_front_end import features, windows

CLAP_MODEL = "laion/larger_clap_music"
"""The CLAP trained on music (Wu et al. 2023, arXiv 2211.06687), by its name on the hub."""

_CLAP = Entry(
    name=f"CLAP ({CLAP_MODEL})",
    sample_rate=48_000,
    features=Waveform("waveform", "time"),
    input="input_features",
    output="pooler_output",
    window_seconds=10.0,
    hop_seconds=10.0,
    fill="nothing",
)


class SoundEmbedding(Protocol):
    """A network from sound to vectors.

    Attributes:
        name: for the report.
        sample_rate: Hz that it hears at; any other is converted.
        size: of one vector.
        seconds: of sound that one vector stands for.
    """

    name: str
    sample_rate: int
    size: int
    seconds: float

    def __call__(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """One vector for each window of a sound: float32 [windows, size].

        Args:
            samples: float32 [N, C], in [-1, 1]; half a second at least.
            rate: their sample rate in Hz.

        Raises:
            DataError: the sound is too short, not mono, or holds a sample that is no number.
        """


def load_sound_embedding(name_or_path: str | Path, weights: Path, entry: Path | None = None) -> SoundEmbedding:
    """Opens a network that embeds sound.

    Args:
        name_or_path: ``"efficientat"`` for ``efficientat_mn04.onnx`` in ``weights``; ``"clap"`` for LAION's music CLAP
            from the hub; or the path of an ONNX file.
        weights: the folder ``weights`` of the shared folder.
        entry: describes what the ONNX file hears; None takes ``name.json`` beside ``name.onnx``.

    Raises:
        DataError: a file is missing, or is not what its entry says.
        MissingExtraError: CLAP was asked for and transformers is not installed.
    """
    if name_or_path == "efficientat":
        return OnnxEmbedding(weights / "efficientat_mn04.onnx", EFFICIENTAT)
    if name_or_path == "clap":
        return ClapEmbedding()
    path = Path(name_or_path)
    if path.suffix != ".onnx":
        raise DataError(f"{name_or_path} is no sound embedding: name efficientat, clap, or the path of an ONNX file")
    return OnnxEmbedding(path, read_entry(entry or path.with_suffix(".json")))


class OnnxEmbedding:
    """A network in an ONNX file; see ``SoundEmbedding``.

    Args:
        model: the ONNX file.
        entry: what it hears and answers.
        threads: for one run.

    Raises:
        DataError: the file is missing, no network, or does not hear or answer what the entry says.
    """

    def __init__(self, model: Path, entry: Entry, threads: int = 1) -> None:
        if not model.is_file():
            raise DataError(f"there is no network {model}: name another, or put it there")
        self._session = open_network(model, threads)
        for word, wanted, tensors in (
            ("input", [entry.input], self._session.get_inputs()),
            ("output", [entry.output], self._session.get_outputs()),
        ):
            there = [tensor.name for tensor in tensors]
            if not set(wanted) <= set(there) or (word == "input" and len(there) > 1):
                raise DataError(
                    f"the network {model} has the {word}s {', '.join(there)}, and its entry names {wanted[0]}: correct "
                    f"the entry"
                )
        self.name, self.sample_rate, self.seconds = entry.name, entry.sample_rate, entry.window_seconds
        self._entry, self._model = entry, model
        # A real run is the one proof that layout, bands and length are what the network takes.
        quiet = np.random.default_rng(0).normal(0, 1e-3, round(entry.window_seconds * entry.sample_rate))
        answer = self._run(quiet.astype(np.float32))
        if answer.ndim != 2 or len(answer) != 1:
            raise DataError(
                f"the output {entry.output} of {model} has the shape {answer.shape} for one window, not [1, size]: "
                f"name another output in the entry"
            )
        self.size = answer.shape[1]

    def __call__(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """One vector for each window: float32 [windows, size]; see ``SoundEmbedding``."""
        return np.concatenate([self._run(window) for window in windows(samples, rate, self._entry)])

    def _run(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            answer = self._session.run([self._entry.output], {self._entry.input: features(window, self._entry)})[0]
        except Exception as error:  # as above
            raise DataError(
                f"the network {self._model} does not take what its entry describes ({first_line(error)}): correct "
                f"the entry"
            ) from error
        return np.asarray(answer, np.float32)


class ClapEmbedding:
    """CLAP's audio side through transformers, vectors of unit length; see ``SoundEmbedding``.

    Args:
        model: its name on the hub, or a folder that was saved from there.

    Raises:
        DataError: the model is not in the hub's cache and the hub cannot be reached, or is no CLAP.
        MissingExtraError: transformers or torch is not installed.
    """

    def __init__(self, model: str | Path = CLAP_MODEL) -> None:
        try:
            from training.torchvision_guard import import_open_clip

            import_open_clip()  # brings in torchvision, which transformers needs, whichever build of it is installed
            from transformers import ClapFeatureExtractor, ClapModel
        except A2MError:
            raise
        except ImportError as error:
            raise MissingExtraError("transformers (for CLAP)", "train") from error
        try:
            self._extractor = ClapFeatureExtractor.from_pretrained(str(model))
            model_class: Any = ClapModel
            self._model: Any = model_class.from_pretrained(str(model)).eval()
        except (OSError, ValueError, RuntimeError) as error:  # what the hub's client and safetensors raise
            raise DataError(
                f"CLAP ({model}) cannot be had ({first_line(error)}): connect to the network once, or "
                f"choose efficientat"
            ) from error
        self.name, self.sample_rate, self.seconds = f"CLAP ({model})", _CLAP.sample_rate, _CLAP.window_seconds
        self.size = int(self._model.config.projection_dim)

    def __call__(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """One vector for each window of 10 s: float32 [windows, size]; see ``SoundEmbedding``."""
        import torch

        rows = []
        with torch.inference_mode():
            for window in windows(samples, rate, _CLAP):
                inputs = self._extractor(window, sampling_rate=self.sample_rate, return_tensors="pt")
                answer = self._model.get_audio_features(**inputs)
                vectors = getattr(answer, "pooler_output", answer)  # older versions answer with the tensor itself
                rows.append(vectors.numpy())
        return np.concatenate(rows).astype(np.float32)


def open_network(model: Path, threads: int) -> Any:
    """A session of ONNX Runtime on the processor, for a network that listens.

    Raises:
        DataError: the file is no network.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what fails here is said once, below
    try:
        with utf8_path(model) as name:
            return onnxruntime.InferenceSession(name, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises many types without a common base
        raise DataError(f"the network {model} cannot be loaded: fetch it again") from error
