"""The one object a host drives: it sees, it hears, and it plays without end."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.composer import Theme
from a2m_edge.errors import OptionError
from a2m_edge.explanation.causes import Cause
from a2m_edge.explanation.effects import Music
from a2m_edge.explanation.finding import Impression, causes_of
from a2m_edge.impression.feeling import Casting
from a2m_edge.inference.agreement import cosines
from a2m_edge.perception.comments import clean_comment
from a2m_edge.perception.encoders import Encoders, Perception
from a2m_edge.perception.looking import Looks
from a2m_edge.perception.picture_tables import PictureTables
from a2m_edge.perception.understanding import Understood
from a2m_edge.score import Score
from a2m_edge.sound.format import AudioChunk
from a2m_edge.synthesis.mel_source import open_source
from a2m_edge.synthesis.vocoder import Synthesis

REMEMBERED = 256
"""Works that a soundscape knows again; a collection on one camera is smaller."""


class Soundscape:
    """Music for a picture, a comment, or both, that bends when either changes.

    What a visitor changes is heard from the next chunk on; how the sound then bends depends on the bundle's decoder
    (see ``a2m_edge.synthesis.mel_source``). A decoder of clips plays no score and knows one clip for what is perceived:
    it repeats that clip until something changes, whatever the seed.

    Args:
        bundle: a verified bundle.
        seed: chooses among the pieces that the same picture and comment allow; a decoder of clips allows only one.
        device, threads: as in ``a2m_edge.inference.sessions.open_session``.
        score_seconds: how much of the past score is kept; None keeps all of it.
        tables: what is known of pictures as a whole; None for what the bundle knows of paintings.

    Raises:
        OptionError: the seed is negative.
        BundleError, DeviceError, MissingExtraError: the bundle's models cannot be used here.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        seed: int = 0,
        device: str = "auto",
        threads: int | None = None,
        score_seconds: float | None = None,
        tables: PictureTables | None = None,
    ) -> None:
        _check_seed(seed)
        self.bundle = bundle
        self._audio = bundle.manifest.audio
        self._encoders = Encoders(bundle, device, threads, tables)
        self._source = open_source(bundle, seed=seed, device=device, threads=threads, score_seconds=score_seconds)
        self._synthesis = Synthesis(bundle, self._source, device, threads)
        self._forget()

    def again(self, seed: int) -> Soundscape:
        """A new soundscape on the same models, which need not be loaded again; nothing is seen or heard yet.

        Raises:
            OptionError: the seed is negative.
        """
        _check_seed(seed)
        other = copy.copy(self)
        other._source = self._source.again(seed)
        other._synthesis = self._synthesis.again(other._source)
        other._forget()
        return other

    def understood(self, comment: str) -> Understood:
        """What the text encoder understands of a cleaned comment."""
        return self._encoders.read(comment)

    @property
    def understands(self) -> bool:
        """Whether the last comment was understood; true where there was none."""
        return self._words is None or self._words.understood

    def see(self, picture: NDArray[np.uint8] | None) -> Perception:
        """Looks at an upright RGB picture, uint8 [H, W, 3]; None forgets it.

        Returns:
            what is felt now.

        Raises:
            OptionError: neither a picture nor a comment would be left.
        """
        return self._perceive(None if picture is None else self._looks(picture), self._words)

    def hear(self, comment: str | None) -> Perception:
        """Listens to a visitor's comment; None forgets it.

        One that is not understood (see ``a2m_edge.perception.understanding`` and ``understands``) leaves the picture in
        charge, as if there were none; where there is no picture, what is felt is neutral.

        Returns:
            what is felt now.

        Raises:
            CommentError: the comment holds nothing that can be understood.
            OptionError: neither a picture nor a comment would be left.
        """
        if comment is None:
            return self._perceive(self._work, None)
        cleaned = clean_comment(comment)
        heard = self._encoders.read(cleaned).heard
        return self._perceive(self._work, _Words(self._encoders.comment(heard or cleaned), bool(heard)))

    def see_another(self, picture: NDArray[np.uint8], least_distance: float) -> Perception | None:
        """Looks at an upright RGB picture, uint8 [H, W, 3], unless it shows about what the one that is seen shows.

        A work that was seen before, in whatever light, is felt as it was then, and has its own theme again.

        Args:
            picture: what may be another one.
            least_distance: 1 - cosine of the embeddings, in [0, 2], below which two pictures show the same.

        Returns:
            what is felt now, or None where nothing has changed.
        """
        work = self._looks(picture)

        def likeness(other: Looks) -> float:
            return float(cosines(work.sight.embedding, other.sight.embedding))

        known = max(self._works, key=likeness, default=None)
        if known is not None and 1.0 - likeness(known) < least_distance:
            if known is self._work:
                return None
            known.take_up(picture)
            work = known
        return self._perceive(work, self._words)

    def look_ahead(self) -> bool:
        """Looks at the next region of the picture that was not looked at yet, so that its music need not wait for it.

        A region is looked at when the music comes to it, at the latest. A host that plays live calls this while it has
        nothing else to do; each call takes about as long as ``see``.

        Returns:
            whether there was anything left to look at; nothing is, where the bundle plays no score.
        """
        return self._work is not None and self._source.theme is not None and self._work.look_ahead()

    @property
    def provider(self) -> str:
        """Where the sound is really made: a provider of ONNX Runtime, or ``"TensorRT"`` for an engine."""
        return self._synthesis.provider

    @property
    def perception(self) -> Perception:
        """What is felt now.

        Raises:
            OptionError: nothing was seen or heard yet.
        """
        if self._perception is None:
            raise OptionError("there is nothing to feel yet: give a picture, a comment, or both")
        return self._perception

    @property
    def score(self) -> Score:
        """The music as far as it has been composed; stays empty where the bundle plays no score."""
        return self._source.score

    @property
    def casting(self) -> Casting | None:
        """Who plays each role now, None where the bundle plays no score; OptionError before anything was perceived."""
        _ = self.perception
        return self._source.casting

    @property
    def theme(self) -> Theme | None:
        """The theme of the picture, or of the comment where there is no picture; None where the bundle plays no score.

        Raises:
            OptionError: nothing was seen or heard yet.
        """
        _ = self.perception
        return self._source.theme

    @property
    def why(self) -> tuple[Cause, ...]:
        """The strongest causes of the music as it is now, strongest first.

        There are none where the bundle plays no score, and where all there is is a comment that was not understood.

        They are found when they are first asked for: two runs of the fusion, and plans without number.

        Raises:
            OptionError: nothing was seen or heard yet.
        """
        return self._explained()

    def chunks(self, frames: int | None = None, chunk_frames: int | None = None) -> Iterator[AudioChunk]:
        """Plays on from where the last call ended.

        Args:
            frames: mel frames to play, of ``hop`` samples each; None plays without end.
            chunk_frames: frames in each chunk but the last; None for ``AudioFormat.chunk_frames``, about 0.37 s.

        Yields:
            chunks whose lengths add up to exactly ``frames`` x hop samples.

        Raises:
            OptionError: nothing was seen or heard yet, or a number is out of range.
        """
        chunk_frames = self._audio.chunk_frames if chunk_frames is None else chunk_frames
        if chunk_frames < 1 or (frames is not None and frames < 0):
            raise OptionError("frames must be 0 or more and chunk_frames 1 or more")
        _ = self.perception
        return self._play(frames, chunk_frames)

    def _forget(self) -> None:
        self._work: Looks | None = None
        self._works: deque[Looks] = deque(maxlen=REMEMBERED)  # what was seen
        self._words: _Words | None = None
        self._perception: Perception | None = None
        self._why: tuple[Cause, ...] | None = None  # of the perception, once somebody asks

    def _play(self, frames: int | None, chunk_frames: int) -> Iterator[AudioChunk]:
        left = frames
        while left is None or left > 0:
            size = chunk_frames if left is None else min(chunk_frames, left)
            first = self._synthesis.played
            yield AudioChunk(self._synthesis.sound(size), self._audio.sample_rate, first, size)
            left = None if left is None else left - size

    def _looks(self, picture: NDArray[np.uint8]) -> Looks:
        return Looks(self._encoders, self._encoders.see(picture), picture)

    def _perceive(self, work: Looks | None, words: _Words | None) -> Perception:
        sight = None if work is None else work.sight
        identity = sight.embedding if sight is not None else words.embedding if words is not None else None
        if identity is None:
            raise OptionError("a picture or a comment must remain: there would be nothing to play")
        felt = words.embedding if words is not None and words.understood else None
        known = self._words is not None and self._words.understood
        if self._perception is not None and work is not None and work is self._work and felt is None and not known:
            self._words = words  # the picture was in charge, and stays so
            return self._perception
        perception = self._encoders.feel(sight, felt)
        if work is not None:
            perception = replace(perception, gaze=work.gaze(felt))
        self._synthesis.take_back()
        self._source.steer(identity, perception)
        if self._work is not None and self._work is not work:
            self._work.put_away()
        self._work, self._words, self._perception, self._why = work, words, perception, None
        if work is not None and not any(work is known for known in self._works):
            self._works.append(work)
        return perception

    def _explained(self) -> tuple[Cause, ...]:
        if self._why is None:
            self._why = self._explain()
        return self._why

    def _explain(self) -> tuple[Cause, ...]:
        whole, theme, names = self.perception, self.theme, self.bundle.manifest.instruments
        felt = self._words.embedding if self._words is not None and self._words.understood else None
        sight = None if self._work is None else self._work.sight
        if theme is None or (sight is None and felt is None):
            return ()
        signature = theme.signature
        impression = Impression(
            whole,
            None if sight is None else self._encoders.feel(sight, None),
            None if felt is None else self._encoders.feel(None, felt),
        )
        return causes_of(impression, lambda perception: Music.of(perception, names, signature))


@dataclass(frozen=True, eq=False)
class _Words:
    """A comment: its embedding float32 [D], which also names the theme of one alone, and whether it is felt."""

    embedding: NDArray[np.float32]
    understood: bool


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise OptionError(f"the seed must be 0 or above, not {seed}")
