"""ArtiCaps: utterances about paintings matched to captions of music (ArtEmis x MusicCaps, arXiv 2512.00120).

Two texts match when their sentence embeddings are similar and they feel alike. Both sides keep to their split, so
that no painting and no clip is in two splits.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from a2m_edge.feeling import EMOTIONS
from a2m_edge.output import make_folder, written_aside
from training.data.caption_palette import caption_feeling
from training.data.feelings import EMOTION_SIGNS, ArousalLexicon, Utterance, read_utterances, utterance_arousal
from training.data.realisation import Caption

COLUMNS = ("painting", "picture", "emotion", "utterance", "valence", "arousal", "clip", "similarity", "split")
SPLITS = ("train", "val", "test")
FEELING_WEIGHT = 0.25
BLOCK = 2048

Embed = Callable[[Sequence[Sequence[str]]], Iterable[NDArray[np.float32]]]
"""Blocks of texts to the sentence embeddings of each block in order, float32 [N, D], each of length 1."""


def match(
    similarity: NDArray[np.float32], distance: NDArray[np.float32], used: NDArray[np.int64], most: int
) -> NDArray[np.int64]:
    """The caption for each utterance of a block, best matches first.

    Args:
        similarity: cosine of embeddings, float32 [utterances, captions].
        distance: in valence and arousal, float32 [utterances, captions].
        used: how many utterances each caption serves already, [captions]; counted up in place.
        most: how many it may serve.

    Returns:
        index of a caption for each utterance, -1 where every caption of its 32 best is taken.
    """
    merit = similarity - FEELING_WEIGHT * distance
    candidates = np.argsort(-merit, axis=1)[:, :32]
    order = np.argsort(-merit[np.arange(len(merit)), candidates[:, 0]])
    chosen = np.full(len(merit), -1, np.int64)
    for row in order:
        free = candidates[row][used[candidates[row]] < most]
        if len(free):
            chosen[row] = free[0]
            used[free[0]] += 1
    return chosen


def utterance_feelings(utterances: Sequence[Utterance], data: Path) -> NDArray[np.float32]:
    """Valence and arousal in [-1, 1] of utterances: the emotion's sign, and its arousal moved by the words, [N, 2]."""
    emotions = np.array([utterance.emotion for utterance in utterances])
    lexicon = ArousalLexicon(data)
    arousal = utterance_arousal(emotions, lexicon([utterance.text for utterance in utterances]))
    return np.stack([EMOTION_SIGNS[emotions] * 0.7, arousal], axis=1).astype(np.float32)


def build_articaps(
    data: Path,
    captions: Sequence[Caption],
    out: Path,
    embed: Embed,
    *,
    most: int = 40,
    pictured_only: bool = False,
) -> dict[str, object]:
    """Matches every utterance and writes ``out/articaps.csv`` with ``COLUMNS`` and ``out/articaps.json``.

    Args:
        data: folder with ``artemis.csv`` and ``lexicon_warriner.csv``.
        captions: from ``training.data.realisation.read_captions``.
        out: folder to write.
        embed: sentence embeddings; called once, with all texts in blocks of at most ``BLOCK``.
        most: utterances that one caption may serve.
        pictured_only: leave out utterances whose painting has no picture.

    Returns:
        the statistics that are written.

    Raises:
        DataError: a table is missing or nothing can be matched.
        OutputError: the files cannot be written.
    """
    utterances = [one for one in read_utterances(data) if one.picture or not pictured_only]
    felt = utterance_feelings(utterances, data)
    caption_feelings = np.array([caption_feeling(caption.aspects, caption.text) for caption in captions], np.float32)
    clips_of, blocks_of = {}, {}
    for split in SPLITS:
        here = [index for index, one in enumerate(utterances) if one.split == split]
        clips_of[split] = np.array([index for index, caption in enumerate(captions) if caption.split == split])
        if not here or not len(clips_of[split]):
            raise DataError(f"The split {split} has no utterances or no captions: the tables are incomplete.")
        blocks_of[split] = [here[begin : begin + BLOCK] for begin in range(0, len(here), BLOCK)]
    caption_texts = [caption.text for caption in captions]
    caption_blocks = [caption_texts[begin : begin + BLOCK] for begin in range(0, len(captions), BLOCK)]
    blocks = [[utterances[index].text for index in block] for split in SPLITS for block in blocks_of[split]]
    embedded = iter(embed([*caption_blocks, *blocks]))
    caption_embeddings = np.concatenate(list(islice(embedded, len(caption_blocks))))
    rows: list[tuple[object, ...]] = []
    dropped = 0
    for split, clips in clips_of.items():
        used = np.zeros(len(clips), np.int64)
        for block in blocks_of[split]:
            similarity = next(embedded) @ caption_embeddings[clips].T
            distance = np.linalg.norm(felt[block][:, None] - caption_feelings[clips][None], axis=2)
            for row, (index, choice) in enumerate(zip(block, match(similarity, distance, used, most), strict=True)):
                if choice < 0:
                    dropped += 1
                    continue
                one = utterances[index]
                valence, arousal = (round(float(value), 4) for value in felt[index])
                rows.append(
                    (
                        one.painting,
                        one.picture,
                        EMOTIONS[one.emotion],
                        one.text,
                        valence,
                        arousal,
                        captions[clips[choice]].clip,
                        round(float(similarity[row, choice]), 4),
                        split,
                    )
                )
    make_folder(out)
    statistics: dict[str, object] = {
        "pairs": len(rows),
        "dropped": dropped,
        "paintings": len({row[0] for row in rows}),
        "clips": len({row[6] for row in rows}),
        "mean_similarity": round(float(np.mean([float(str(row[7])) for row in rows])), 4),
        "splits": {split: sum(row[8] == split for row in rows) for split in SPLITS},
        "most_utterances_per_caption": most,
        "feeling_weight": FEELING_WEIGHT,
    }
    with written_aside(out / "articaps.json") as stream:
        stream.write((json.dumps(statistics, indent=1) + "\n").encode())
    # The pairs come last: where they are, everything is.
    with written_aside(out / "articaps.csv") as stream:
        writer = csv.writer(codecs.getwriter("utf-8")(stream))
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return statistics
