"""Measures by cross-validation how well pictures tell what is felt before them, and how well one work is known again.

    python -m tools.measure_picture_feeling --shared ../shared

The test split has too few paintings of which many people spoke, so the regression of ``PictureProjection`` is made ten
times, each time without a tenth of all paintings with utterances. Valence is read from the embeddings by a second ridge
regression, made on the same nine tenths. Then the projection of ``--encoder`` looks at works in rooms twice: what a
camera sees of one work, in another light and by another outline, against what it sees of others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from a2m_edge.impression.feeling import EMOTION_SIGNS
from a2m_edge.perception.preprocessing import preprocess
from kiosk.camera.artwork import straighten
from tests.fixtures.exhibit.rooms import Paintings, make_view, outline_of
from training.commands.options import CHECKPOINTS
from training.data.embeddings.embed import embed_texts
from training.data.embeddings.encoder_data import EncoderData
from training.models.encoder_model import EncoderModel
from training.models.encoders import load_encoder
from training.trainers.encoder import EncoderTraining
from training.trainers.picture_projection import regression

FOLDS, MANY, READ_RIDGE = 10, 30, 1.0


def cross_validated(training: EncoderTraining, data: EncoderData, said: NDArray[np.float32]) -> None:
    """Prints the correlation with the annotators' mean valence.

    Args:
        training: has seen the pictures.
        data: of all splits.
        said: float32 [paintings with utterances, D], the mean embedding of what was said of each.
    """
    rows = [row for row, picture in enumerate(data.paintings) if picture.file in data.painting_utterances]
    files = [data.paintings[row].file for row in rows]
    seen = training.pictures.features(rows)
    seen = (seen - seen.mean(0)) / seen.std(0).clamp(min=1e-5)
    valence = np.array([data.painting_emotions[file] @ EMOTION_SIGNS for file in files])
    many = np.array([len(data.painting_utterances[file]) for file in files]) >= MANY
    fold = np.random.default_rng(0).integers(0, FOLDS, len(rows))
    told = np.zeros(len(rows))
    for number in range(FOLDS):
        known = torch.from_numpy(fold != number)
        weight, middle = regression(seen[known], torch.from_numpy(said)[known])
        felt = (seen - middle) @ weight
        reading, middle = regression(felt[known], torch.from_numpy(valence[:, None])[known].float(), READ_RIDGE)
        told[fold == number] = ((felt - middle) @ reading)[~known, 0].numpy()
    for name, which in (("all", many >= 0), (f"of {MANY} utterances and more", many)):
        r = np.corrcoef(told[which], valence[which])[0, 1]
        print(f"valence, {int(which.sum())} paintings {name}: r = {r:.3f}")


def known_again(model: EncoderModel, pictures: Paintings, works: int) -> None:
    """Prints the distances, 1 - cosine, of two views of a work and of two works."""
    views = []
    for number in range(works):
        rng = np.random.default_rng([77, number])
        view = make_view(pictures, rng)
        first = view.frame_outline if number % 2 else view.canvas_outline
        second = view.canvas_outline + rng.normal(0, 0.01, (4, 2)) * np.ptp(view.canvas_outline, axis=0)
        views.append(straighten(view.shot(rng), outline_of(view, first)))
        views.append(straighten(view.shot(rng, gain=rng.uniform(0.5, 1.3)), outline_of(view, second)))
    pixels = np.stack([preprocess(view, model.image_preprocessing) for view in views])
    with torch.no_grad():
        tower = model.image.eval()
        embedded = torch.cat([tower(part) for part in torch.from_numpy(pixels).split(20)]).numpy()
    distances = 1 - embedded[0::2] @ embedded[1::2].T
    same, other = np.diag(distances), distances[~np.eye(works, dtype=bool)]
    print(f"two views of {works} works: half within {np.median(same):.3f}, 95 % within {np.quantile(same, 0.95):.3f}")
    for share in (0.0, 0.001, 0.01, 0.5):
        bound = np.quantile(other, share)
        print(f"two works: {share:.1%} within {bound:.3f}, where {np.mean(same < bound):.1%} of the views are known")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--encoder", default=str(CHECKPOINTS / "encoder"))
    parser.add_argument(
        "--features", type=Path, help="features.npz of a run of the encoder; else the pictures are seen"
    )
    parser.add_argument("--works", type=int, default=150)
    options = parser.parse_args()
    model = load_encoder(options.encoder)
    known_again(model, Paintings(options.shared / "data"), options.works)
    data = EncoderData.read(options.shared / "data", model.image_preprocessing)
    training = EncoderTraining(model, data, texts=False, features=options.features)
    shown = [picture.file for picture in data.paintings if picture.file in data.painting_utterances]
    texts = [data.painting_utterances[file] for file in shown]
    embedded = embed_texts(model, [text for said in texts for text in said])
    ends = np.cumsum([len(said) for said in texts])[:-1]
    cross_validated(training, data, np.stack([part.mean(0) for part in np.split(embedded, ends)]))


if __name__ == "__main__":
    main()
