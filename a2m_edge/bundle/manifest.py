"""What a bundle states about itself: the structure of ``manifest.json``, and what makes sense in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, Self

from a2m_edge.errors import BundleError
from a2m_edge.sound.format import AudioFormat
from a2m_edge.strict_json import StrictJsonError, decode, encode, parse

SCHEMA = 6
"""The manifest schema that this program writes, and the newest that it reads."""

OLDEST_SCHEMA = 4
"""The oldest manifest schema that this program reads: 4 knew no channels, its sound was mono; 5 named no encoder."""

MANIFEST = "manifest.json"
"""The file of a bundle that holds its manifest."""

MANY_LANGUAGES = "mul"
"""Of a text encoder that was trained on comments in many languages (ISO 639-2)."""

GRAPHS = ("image_encoder", "text_encoder", "fusion", "mel_decoder", "vocoder")
"""The graphs that every bundle has."""

BED = "bed.wav"
"""The safe loop, which plays when nothing else can."""

COMPANIONS = ("tokenizer.json", BED, "MODEL_CARD.md")
"""The further files that every bundle has."""

COMPOSER = "composer.json"
"""The composer's tables, in a bundle whose decoder plays a score."""

PICTURES = "pictures.json"
"""What is known of paintings as a whole, in a bundle that has it."""

SUBJECTS = "subjects.json"
"""What the labels of the image encoder mean, and a curator's words, in a bundle that tells what pictures show."""

Resize = Literal["shortest", "longest", "squash"]
"""How a picture becomes a square: see ``ImagePreprocessing.resize``."""

Precision = Literal["fp32", "fp16", "int8"]
"""How a graph holds its weights. ``"fp16"`` computes in half precision too, which only GPUs do well; ``"int8"``
rounds the matrices of the weights and computes in fp32, or in whole numbers where that was measured to pay."""

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph.

    Attributes:
        name: its name in the graph.
        dtype: numpy's name of the element type, for example ``"float32"``.
        shape: a size for each fixed dimension, a name for each free one.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Graph:
    """An ONNX graph.

    Attributes:
        file: its name in the bundle.
        opset: the version of ONNX's operators that it needs.
        inputs, outputs: what goes in and comes out.
        precision: of its weights; inputs and outputs are float32 in any case.
        data: the files of the bundle that hold the weights of a graph too large for one file; else empty.
    """

    file: str
    opset: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    precision: Precision = "fp32"
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImagePreprocessing:
    """How a picture becomes the input of the image encoder.

    Attributes:
        size: width and height of the input in pixels.
        resize: ``"shortest"`` scales the shorter side to ``size`` and crops the centre; ``"longest"`` scales the
            longer side and fills the borders; ``"squash"`` scales both sides.
        interpolation: kernel of the antialiased scaling.
        mean, std: per channel (red, green, blue), applied to values in [0, 1].
        fill: grey of the borders, 0 to 255.
    """

    size: int
    resize: Resize
    interpolation: Literal["bicubic", "bilinear"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fill: int = 0


@dataclass(frozen=True)
class TextPreprocessing:
    """How a comment becomes the input of the text encoder; ``tokenizer.json`` holds the rest.

    Attributes:
        context_length: most tokens the encoder takes, special tokens included.
        pad_id: id of the token that fills a batch.
        language: language of the comments it was trained on (BCP 47), or ``MANY_LANGUAGES``.
        padded: whether the encoder was trained on texts filled up to ``context_length`` and hears the padding
            (SigLIP's does); others give the same embedding with and without it.
    """

    context_length: int
    pad_id: int
    language: str
    padded: bool = False


@dataclass(frozen=True)
class ScoreEncoding:
    """How the score becomes frames (see ``a2m_edge.score.ScoreLayout``).

    Attributes:
        lowest_pitch: MIDI pitch number of the first key.
        keys: number of keys.
        onset_decay: time constant of the onset trace in seconds.
    """

    lowest_pitch: int
    keys: int
    onset_decay: float


@dataclass(frozen=True)
class DecoderContext:
    """How the mel decoder is run on windows, in frames.

    Attributes:
        window: frames that one run yields.
        left, right: frames of context in its input before and after them, of which it gives no output.
    """

    window: int
    left: int
    right: int

    @property
    def span(self) -> int:
        """Frames that one run is given."""
        return self.left + self.window + self.right


@dataclass(frozen=True)
class ClipDecoder:
    """A mel decoder without a score: one fused vector gives one clip of fixed length.

    Attributes:
        frames: length of a clip.
        overlap: frames in which one clip fades into the next.
    """

    frames: int
    overlap: int


@dataclass(frozen=True)
class VocoderContext:
    """Frames of context that the vocoder is given before and after those that it sounds.

    Its graph takes left + T + right frames and gives hop samples for each of the T, the same as if it had been given
    the whole stream. Before a stream begins it is silent (``a2m_edge.sound.mel.SILENCE``).
    """

    left: int
    right: int


@dataclass(frozen=True)
class FileRecord:
    """What proves a file: the SHA-256 of its content in hexadecimal, and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """Everything the runtime must know about a bundle.

    Attributes:
        schema: version of this structure.
        name, version, licence: what the bundle is called, its version, and the licence of its weights.
        audio: the format of its sound.
        embedding_size: D, of image and text embeddings.
        fused_size: H, of the fused vector.
        encoder: SHA-256, in hexadecimal, of the weights of the bundle's encoder, with which its fusion was trained;
            empty where nothing says.
        emotions, roles, instruments: the names behind the outputs of the fusion graph, in order.
        image, text: how inputs are prepared.
        score: how the composer's score becomes frames; None for a decoder that gives clips.
        decoder: how the mel decoder is cut into windows, or what clips it gives.
        vocoder: the frames of context in its input, of which it gives no sound.
        graphs: by name, at least those of ``GRAPHS``.
        versions: of the programs that exported it.
        parity: differences between graphs and models, measured at export.
        measured: quality figures of the weights.
        files: every other file of the folder, by name.
    """

    schema: int
    name: str
    version: str
    licence: str
    audio: AudioFormat
    embedding_size: int
    fused_size: int
    encoder: str
    emotions: tuple[str, ...]
    roles: tuple[str, ...]
    instruments: tuple[str, ...]
    image: ImagePreprocessing
    text: TextPreprocessing
    score: ScoreEncoding | None
    decoder: DecoderContext | ClipDecoder
    vocoder: VocoderContext
    graphs: dict[str, Graph]
    versions: dict[str, str]
    parity: dict[str, object]
    measured: dict[str, object]
    files: dict[str, FileRecord] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of ``manifest.json``: the same manifest gives the same bytes."""
        return encode(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Reads a manifest; unknown, missing or doubled keys and values that make no sense are refused.

        Raises:
            BundleError: the text is no manifest that this program understands.
        """
        try:
            value = parse(text)
            manifest = decode(cls, _of_this_schema(value))
        except StrictJsonError as error:
            raise BundleError(f"{MANIFEST} of the bundle is not valid: {error}") from error
        manifest.check()
        return manifest

    def check(self) -> None:
        """Refuses values that are of the right type but make no sense.

        Raises:
            BundleError: naming the first that was found.
        """
        sane = {
            f"schema must be {SCHEMA}": self.schema == SCHEMA,
            "name is empty": bool(self.name.strip()),
            **{f"audio: {fault}": False for fault in self.audio.faults()},
            "embedding_size or fused_size is outside 1 to 65536": (
                1 <= self.embedding_size <= 65536 and 1 <= self.fused_size <= 65536
            ),
            "encoder is no SHA-256": re.fullmatch(r"([0-9a-f]{64})?", self.encoder) is not None,
            "image.size is outside 1 to 4096": 1 <= self.image.size <= 4096,
            "image.std must be above 0": min(self.image.std) > 0,
            "text.context_length is outside 2 to 65536": 2 <= self.text.context_length <= 65536,
            "text.pad_id is below 0": self.text.pad_id >= 0,
            "image.fill is outside 0 to 255": 0 <= self.image.fill <= 255,
            "vocoder.left or vocoder.right is outside 0 to 65536": all(
                0 <= frames <= 65536 for frames in (self.vocoder.left, self.vocoder.right)
            ),
            **self._decoding(),
        }
        for names in ("emotions", "roles", "instruments"):
            value = getattr(self, names)
            sane[f"{names} must be different names, at least one"] = 0 < len(set(value)) == len(value)
        for graph in GRAPHS:
            sane[f"the graph {graph} is missing"] = graph in self.graphs
        for fault, fine in sane.items():
            if not fine:
                raise BundleError(f"{MANIFEST} of the bundle is not valid: {fault}")

    def _decoding(self) -> dict[str, bool]:
        score, decoder = self.score, self.decoder
        heard = [tensor.name for tensor in self.graphs["vocoder"].inputs] if "vocoder" in self.graphs else []
        sane = {
            "a decoder of windows needs a score, one of clips takes none": (score is None)
            == isinstance(decoder, ClipDecoder),
            "a vocoder that hears the excitation of notes needs a score": (
                score is not None or "excitation" not in heard
            ),
            "the vocoder gives another number of channels than audio.channels": self._vocoder_channels()
            in (None, self.audio.channels),
        }
        if isinstance(decoder, ClipDecoder):
            sane["decoder.frames is outside 2 to 65536"] = 2 <= decoder.frames <= 65536
            sane["decoder.overlap is outside 1 to half of decoder.frames"] = 1 <= decoder.overlap <= decoder.frames // 2
        else:
            sane["decoder.window is outside 1 to 65536"] = 1 <= decoder.window <= 65536
            sane["decoder.left or decoder.right is outside 0 to 65536"] = all(
                0 <= frames <= 65536 for frames in (decoder.left, decoder.right)
            )
        if score is not None:
            sane["the keys of score leave 0 to 127"] = (
                score.lowest_pitch >= 0 and score.keys >= 1 and score.lowest_pitch + score.keys <= 128
            )
            sane["score.onset_decay must be above 0"] = score.onset_decay > 0
        return sane

    def _vocoder_channels(self) -> int | None:
        """Channels of the vocoder's sound; None where its graph does not say."""
        outputs = self.graphs["vocoder"].outputs if "vocoder" in self.graphs else ()
        sizes = [tensor.shape[1] for tensor in outputs if tensor.name == "waveform" and len(tensor.shape) == 3]
        return sizes[0] if sizes and isinstance(sizes[0], int) else None

    @property
    def companions(self) -> tuple[str, ...]:
        """The files of a bundle of this manifest that are no graphs."""
        return (*COMPANIONS, *([COMPOSER] if self.score is not None else []))

    @property
    def needed_files(self) -> tuple[str, ...]:
        """The files that a bundle of this manifest must hold beside ``manifest.json``."""
        graphs = [file for graph in self.graphs.values() for file in (graph.file, *graph.data)]
        return (*graphs, *self.companions)

    def check_files(self) -> None:
        """Refuses a list of files that is incomplete or names anything but plain files of the folder.

        Raises:
            BundleError: naming the first fault that was found.
        """
        for name, record in self.files.items():
            if not _FILE_NAME.fullmatch(name) or name == MANIFEST:
                raise BundleError(f"the bundle lists {name!r}: only plain files inside its own folder are allowed")
            if not re.fullmatch(r"[0-9a-f]{64}", record.sha256) or record.size < 0:
                raise BundleError(f"the bundle has no valid hash and size for {name}")
        for name in self.needed_files:
            if name not in self.files:
                raise BundleError(f"the bundle does not list {name!r}, which it needs")


def _of_this_schema(value: object) -> object:
    """The parsed text of a manifest as if this program had written it.

    Raises:
        BundleError: its schema is too new or too old.
    """
    schema = value.get("schema") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(schema, int) or isinstance(schema, bool) or schema == SCHEMA:
        return value
    if schema > SCHEMA:
        raise BundleError(f"the bundle has schema {schema}, newer than this program's {SCHEMA}: update a2m-edge")
    if schema < OLDEST_SCHEMA:
        raise BundleError(
            f"the bundle has schema {schema}, older than {OLDEST_SCHEMA}, the oldest that this program reads: export "
            "the bundle again"
        )
    audio = value.get("audio")
    if schema == OLDEST_SCHEMA and isinstance(audio, dict) and "channels" not in audio:
        value = {**value, "audio": {**audio, "channels": 1}}
    if "encoder" not in value:
        value = {**value, "schema": SCHEMA, "encoder": ""}
    return value
