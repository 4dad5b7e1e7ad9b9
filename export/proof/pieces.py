"""Short pieces of music to test a decoder and a vocoder with: composed, not random, and the same in every run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import DEFAULT_BUNDLE
from a2m_edge.bundle.manifest import COMPOSER
from a2m_edge.composer import Composer, ComposerTables
from a2m_edge.impression.feeling import Feeling, Palette
from a2m_edge.score import Note
from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import SILENCE
from a2m_edge.synthesis.excitation import excitation
from export.graphs.export import Arrays
from export.graphs.plans import fusion_plan, mel_decoder_plan, text_encoder_plan
from export.models import Models
from export.proof.parity import run_module
from training.models.mel_decoder import MelDecoderConfig

COMMENTS = ("I feel calm and at peace.", "It makes me afraid, as if a storm were coming.", "I am excited!")
FRAMES = 256
"""Frames of each piece at least."""


@dataclass(frozen=True)
class Piece:
    """What a decoder and a vocoder are given.

    Attributes:
        inputs: of the decoder, in order.
        played: how many frames of each row of its mel are played, from the first on.
        notes: what the score holds; none for a decoder without a score.
        mel: natural-log mel of the torch decoder, float32 [bands, T].
    """

    inputs: Arrays
    played: int
    notes: tuple[Note, ...]
    mel: NDArray[np.float32]

    def joined(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """The decoder's rows float32 [rows, bands, frames] as one mel [bands, T]."""
        return np.concatenate(list(mel[:, :, : self.played]), axis=1)

    def heard(self, audio: AudioFormat, context: int, excited: bool) -> Arrays:
        """What a vocoder is given.

        Args:
            audio: the format.
            context: frames of silence before and after the piece.
            excited: with the partials of the notes.
        """
        mel = np.pad(self.mel, ((0, 0), (context, context)), constant_values=SILENCE)
        return (mel[None], excitation(self.notes, mel, -context, audio)[None, None]) if excited else (mel[None],)


def pieces(models: Models) -> list[Piece]:
    """A piece for each of ``COMMENTS``, as the torch models feel and decode them."""
    return [_piece(models, comment, seed) for seed, comment in enumerate(COMMENTS)]


def _piece(models: Models, comment: str, seed: int) -> Piece:
    tokens = np.array([models.bundle_tokenizer.encode(comment).ids])
    text = run_module(text_encoder_plan(models), (tokens,))[0]
    felt = run_module(fusion_plan(models), (np.zeros_like(text), text, np.array([[0, 1]], np.float32)))
    fused, _, feeling, palette, room = (values[0] for values in felt)
    config = models.decoder.config
    notes: tuple[Note, ...] = ()
    if isinstance(config, MelDecoderConfig):
        context = config.context
        windows = -(-FRAMES // context.window)
        last = windows * context.window + context.right
        notes = _composed(Feeling.of(*feeling), text[0], seed, models.audio.seconds(last))
        score = config.layout.frames(notes, -context.left, context.left + last, models.audio.frame_rate)
        vector = Palette(palette, float(room[0])).cast(np.random.default_rng(seed)).vector(config.instruments)
        rows = np.arange(windows)[:, None] * context.window + np.arange(context.span)
        inputs = (*(np.broadcast_to(part, (*rows.shape, len(part))).copy() for part in (fused, vector)), score[rows])
        played = context.window
    else:
        inputs, played = (fused[None],), FRAMES
    piece = Piece(inputs, played, notes, np.zeros((models.audio.mel_bands, 0), np.float32))
    return replace(piece, mel=piece.joined(run_module(mel_decoder_plan(models), inputs)[0]))


def _composed(feeling: Feeling, identity: NDArray[np.float32], seed: int, seconds: float) -> tuple[Note, ...]:
    """The notes that begin in the first ``seconds``, and some more."""
    composer = Composer(ComposerTables.read(DEFAULT_BUNDLE / COMPOSER), identity, seed, feeling)
    notes: list[Note] = []
    while True:
        beat = composer.next_beat()
        notes += beat.notes
        if beat.start > seconds:
            return tuple(notes)
