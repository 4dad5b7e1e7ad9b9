"""A picture and a comment in, embeddings out, and what is felt about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import PICTURES, SUBJECTS
from a2m_edge.errors import BundleError
from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.feeling import Feeling, Palette
from a2m_edge.impression.gaze import NOWHERE, WHOLE, Gaze, Region
from a2m_edge.impression.subjects import NOTHING, Subjects
from a2m_edge.inference.sessions import Session, open_session
from a2m_edge.perception.gaze import crop
from a2m_edge.perception.painting import as_measured, measure, shows_little
from a2m_edge.perception.picture_tables import PictureTables
from a2m_edge.perception.preprocessing import fit_tokenizer, preprocess
from a2m_edge.perception.subject_tables import SubjectTables
from a2m_edge.perception.understanding import Reader, Understood

_LABELS = "labels"
"""The output of the image encoder that holds the probabilities of subjects, styles and periods."""

WEIGHT = "weight"
"""The output of the fusion that says how much a comment says, in [0, 1]; older ones take all for said."""


@dataclass(frozen=True)
class Perception:
    """What the fusion makes of a picture, a comment, or both.

    Attributes:
        fused: float32 [H], the vector that conditions the mel decoder.
        feeling: emotions, valence and arousal.
        palette: who suits each role, and the room.
        cues: how the picture is painted, as ranks among paintings; ``MIDDLE`` where there is none.
        subjects: what the picture shows.
        gaze: where one may look in the picture.
        little: whether there is little to see in the picture; false where there is none.
    """

    fused: NDArray[np.float32]
    feeling: Feeling
    palette: Palette
    cues: Cues = MIDDLE
    subjects: Subjects = NOTHING
    gaze: Gaze = NOWHERE
    little: bool = False


@dataclass(frozen=True)
class Sight:
    """What is seen of a picture.

    Attributes:
        embedding: float32 [D], of length 1.
        cues: how it is painted, as ranks among paintings.
        subjects: what it shows; nothing where there is little to see.
        little: whether there is little to see; see ``shows_little``.
    """

    embedding: NDArray[np.float32]
    cues: Cues = MIDDLE
    subjects: Subjects = NOTHING
    little: bool = False


class Encoders:
    """The image encoder, the text encoder and the fusion of a bundle; each is loaded when it is first needed.

    Args:
        bundle: a verified bundle.
        device, threads: as in ``open_session``.
        tables: what is known of pictures as a whole; None for what the bundle knows of paintings.

    Raises:
        BundleError: the tokenizer or a graph of the bundle cannot be loaded, or its image encoder tells other labels
            than its tables name; later methods raise it too.
    """

    def __init__(
        self, bundle: Bundle, device: str = "auto", threads: int | None = None, tables: PictureTables | None = None
    ) -> None:
        self._bundle = bundle
        self._device = device
        self._threads = threads
        self._sessions: dict[str, Session] = {}
        self._tokenizer = _open_tokenizer(bundle)
        self._tables = open_picture_tables(bundle) if tables is None else tables
        self._subjects = _open_subjects(bundle)
        self._sentences: dict[str, NDArray[np.float32]] = {}  # of a curator's words, once they are needed
        self._reader = Reader(self._tokenizer, bundle.manifest.text.language)

    @property
    def subjects(self) -> SubjectTables | None:
        """What can be told of what a picture shows; None where the bundle tells nothing of it."""
        return self._subjects

    @property
    def weighs(self) -> bool:
        """Whether the fusion tells how much a comment says."""
        return any(tensor.name == WEIGHT for tensor in self._bundle.manifest.graphs["fusion"].outputs)

    def see(self, rgb: NDArray[np.uint8], region: Region = WHOLE, measured: NDArray[np.uint8] | None = None) -> Sight:
        """What is seen of an upright picture, uint8 [H, W, 3], or of a region of it.

        Args:
            measured: the whole picture ``as_measured``, where it is at hand.
        """
        embedding, chances = self.look(crop(rgb, region))
        painted = crop(as_measured(rgb) if measured is None else measured, region)
        little = shows_little(painted)
        shown = NOTHING if little else self._shown(embedding, chances)
        return Sight(embedding, measure(painted).ranks(self._tables.cues), shown, little)

    def image(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The embedding of an upright picture uint8 [H, W, 3]: float32 [D], of length 1."""
        return self.look(rgb)[0]

    def look(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What the image encoder makes of an upright picture, uint8 [H, W, 3].

        Returns:
            its embedding, float32 [D], of length 1; and the probability of each label of ``subjects``, float32
            [labels], which is empty where the bundle has none.
        """
        pixels = preprocess(rgb, self._bundle.manifest.image)
        seen = self._session("image_encoder").run(image=pixels[None])
        return np.asarray(seen["image_embedding"][0], np.float32), np.asarray(seen.get(_LABELS, [[]])[0], np.float32)

    def comment(self, text: str) -> NDArray[np.float32]:
        """The embedding of a cleaned comment: float32 [D], of length 1. What is too long is cut at its end."""
        tokens = np.array([self._tokenizer.encode(text).ids], np.int64)
        embedding = self._session("text_encoder").run(tokens=tokens)["text_embedding"]
        return np.asarray(embedding[0], np.float32)

    def read(self, text: str) -> Understood:
        """What the text encoder understands of a cleaned comment."""
        return self._reader.read(text)

    def feel(self, sight: Sight | None, text: NDArray[np.float32] | None) -> Perception:
        """Fuses a picture and the embedding float32 [D] of a comment; either may be absent.

        Where both are, it gives what is felt before anything is known: about the mean of what it learned from. What is
        felt before a picture alone is spread as the bundle's tables say, and so it is where a comment says nothing.
        """
        absent = np.zeros(self._bundle.manifest.embedding_size, np.float32)
        image = absent if sight is None else sight.embedding
        sides = [(sight is not None, text is not None)]
        if all(sides[0]) and self.weighs:
            sides.append((True, False))  # the picture alone, beside what is made of both
        felt = self._session("fusion").run(
            image_embedding=np.stack([image] * len(sides)),
            text_embedding=np.stack([absent if text is None else text] * len(sides)),
            present=np.array(sides, np.float32),
        )
        feelings = [
            Feeling(emotions, float(valence), float(arousal))
            for emotions, (valence, arousal) in zip(felt["emotions"], felt["valence_arousal"], strict=True)
        ]
        feeling = feelings[0]
        if len(sides) == 2:
            feeling = self._tables.beside(feeling, feelings[1], float(felt[WEIGHT][0, 0]))
        elif sides[0] == (True, False):
            feeling = self._tables.seen(feeling)
        return Perception(
            felt["fused"][0],
            feeling,
            Palette(felt["palette"][0], float(felt["room"][0, 0])),
            MIDDLE if sight is None else sight.cues,
            NOTHING if sight is None else sight.subjects,
            little=sight is not None and sight.little,
        )

    def _shown(self, embedding: NDArray[np.float32], chances: NDArray[np.float32]) -> Subjects:
        """What is told of a picture, a curator's words among it."""
        if self._subjects is None:
            return NOTHING
        if not self._sentences:
            self._sentences = {name: self.comment(word.sentence) for name, word in self._subjects.words.items()}
        return self._subjects.told(chances, embedding, self._sentences)

    def _session(self, graph: str) -> Session:
        if graph not in self._sessions:
            self._sessions[graph] = open_session(self._bundle, graph, self._device, self._threads)
        return self._sessions[graph]


def open_picture_tables(bundle: Bundle) -> PictureTables:
    """The bundle's tables of pictures; such as change nothing where it has none."""
    return PictureTables.read(bundle.file(PICTURES)) if PICTURES in bundle.manifest.files else PictureTables()


def _open_subjects(bundle: Bundle) -> SubjectTables | None:
    """What the bundle can tell of what pictures show; None where it tells nothing."""
    manifest = bundle.manifest
    outputs = [tensor for tensor in manifest.graphs["image_encoder"].outputs if tensor.name == _LABELS]
    if SUBJECTS not in manifest.files and not outputs:
        return None
    tables = SubjectTables.read(bundle.file(SUBJECTS))
    told = [tensor.shape[-1] for tensor in outputs]
    if told != [len(tables.labels)] or len(tables.likeness.mean) != manifest.embedding_size:
        raise BundleError(
            f"image_encoder of the bundle {manifest.name} tells other labels than {SUBJECTS} names: export it again"
        )
    return tables


def _open_tokenizer(bundle: Bundle) -> Tokenizer:
    """The bundle's tokenizer, which gives texts of lengths that the text encoder takes."""
    try:
        tokenizer = Tokenizer.from_buffer(bundle.file("tokenizer.json").read_bytes())
    except Exception as error:  # the library raises bare Exception
        raise BundleError(f"tokenizer.json of the bundle cannot be read: {error}") from error
    fit_tokenizer(tokenizer, bundle.manifest.text)
    return tokenizer
