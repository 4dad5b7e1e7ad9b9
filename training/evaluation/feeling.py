"""How well an encoder and a fusion tell what people felt, on paintings that neither has seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from a2m_edge.feeling import EMOTIONS, NEGATIVE_EMOTIONS, POSITIVE_EMOTIONS
from training.data.feeling_set import FeelingSet, embed_feelings
from training.models.encoder_model import EncoderModel
from training.models.fusion import Fusion

_POSITIVE = [EMOTIONS.index(word) for word in POSITIVE_EMOTIONS]
_NEGATIVE = [EMOTIONS.index(word) for word in NEGATIVE_EMOTIONS]


@torch.no_grad()
def score_feelings(fusion: Fusion, feelings: FeelingSet) -> dict[str, float]:
    """Scores of a fusion in eval mode.

    Returns:
        For ``both`` (rows with a picture, picture and comment), ``comment`` (all rows, comment alone), ``picture``
        (rows with a picture, picture alone) and ``all`` (all rows, with the picture where there is one):
        ``<which>_accuracy`` of nine emotions, ``<which>_sign_accuracy`` of positive against negative words
        ("something else" left out; a row is called positive if the four positive words together are likelier),
        ``<which>_n``; then ``commonest_accuracy`` of always telling the commonest emotion, and for painting alone
        ``painting_valence_r`` (correlation with the annotators' mean valence) over ``painting_n`` paintings.
    """
    device = next(fusion.parameters()).device
    shown = feelings.picture >= 0
    images = np.zeros_like(feelings.text)
    images[shown] = feelings.image[feelings.picture[shown]]
    everything = np.ones(len(shown), bool)
    scores: dict[str, float] = {}
    for which, rows, present in (
        ("both", shown, np.stack([shown, everything], 1)),
        ("comment", everything, np.stack([~everything, everything], 1)),
        ("picture", shown, np.stack([shown, ~everything], 1)),
        ("all", everything, np.stack([shown, everything], 1)),
    ):
        scores[f"{which}_n"] = float(rows.sum())
        if not rows.any():
            continue
        inputs = (images[rows], feelings.text[rows], present[rows].astype(np.float32))
        logits = fusion(*(torch.from_numpy(part).to(device) for part in inputs))[1]
        chances = logits.softmax(1).cpu().numpy()
        truth = feelings.emotion[rows]
        scores[f"{which}_accuracy"] = float((chances.argmax(1) == truth).mean())
        signed = np.isin(truth, _POSITIVE + _NEGATIVE)
        positive = chances[:, _POSITIVE].sum(1) > chances[:, _NEGATIVE].sum(1)
        scores[f"{which}_sign_accuracy"] = float((positive == np.isin(truth, _POSITIVE))[signed].mean())
    scores["commonest_accuracy"] = float(np.bincount(feelings.emotion).max() / len(feelings.emotion))
    paintings, mean_valence = feelings.painting_valence()
    scores["painting_n"] = float(len(paintings))
    if len(paintings) > 2:
        valence = _picture_feeling(fusion, feelings.image[paintings])[:, 0]
        scores["painting_valence_r"] = float(np.corrcoef(valence, mean_valence)[0, 1])
    return scores


def evaluate_feeling(
    encoder: EncoderModel, fusion: Fusion, data: Path, split: str = "test", cache: Path | None = None
) -> dict[str, float]:
    """Scores a pair on a split of ArtEmis and prints a table; see ``score_feelings``.

    ``cache`` is a folder that keeps the embeddings of this encoder for the next call.

    Raises:
        DataError: a table or an archive is missing or damaged.
    """
    scores = score_feelings(fusion, embed_feelings(encoder, data, [split], cache=cache)[split])
    table = Table(title=f"What people felt, {split} split (disjoint by painting)")
    for heading in ("given", "utterances", "nine emotions", "positive or negative"):
        table.add_column(heading, justify="left" if heading == "given" else "right")
    for which, words in (
        ("both", "painting and comment"),
        ("comment", "comment alone"),
        ("picture", "painting alone"),
        ("all", "comment, and painting where there is one"),
    ):
        numbers = [f"{scores[f'{which}_n']:.0f}"]
        numbers += [f"{scores.get(f'{which}_{score}', np.nan):.3f}" for score in ("accuracy", "sign_accuracy")]
        table.add_row(words, *numbers)
    table.add_row("nothing (always the commonest)", "", f"{scores['commonest_accuracy']:.3f}", "")
    console = Console()
    console.print(table)
    console.print(
        f"painting alone, valence against the annotators' mean: r = {scores.get('painting_valence_r', np.nan):.3f} "
        f"over {scores['painting_n']:.0f} paintings"
    )
    return scores


def _picture_feeling(fusion: Fusion, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Valence and arousal of pictures alone: float32 [n, 2]."""
    image = torch.from_numpy(images).to(next(fusion.parameters()).device)
    alone = torch.tensor([[1.0, 0.0]], device=image.device).expand(len(image), 2)
    feeling: NDArray[np.float32] = fusion(image, torch.zeros_like(image), alone)[2].cpu().numpy()
    return feeling
