"""A fusion that weighs: what says nothing leaves the picture in charge; and one learns the words of another tower."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch

from a2m_edge.impression.feeling import EMOTIONS
from tests.fixtures.training.encoders import fake_feelings
from training.data.embeddings.comment_set import CommentSet
from training.models.fusion import Fusion, FusionConfig
from training.trainers.fusion import Former, FusionTraining

SIZE = 8


def visitors(rows: int = 240, turned: bool = False) -> CommentSet:
    """Comments whose second component says whether anything is felt, and the first one what; a third is of others."""
    random = np.random.default_rng(3)
    says = (np.arange(rows) % 2).astype(np.float32)
    sign = np.where(np.arange(rows) % 4 < 2, 1.0, -1.0)
    text = 0.3 * random.normal(size=(rows, SIZE))
    text[:, 0], text[:, 1] = 3 * sign * says * (-1 if turned else 1), 3 * (1 - says)
    known = np.arange(rows) % 3 > 0
    emotion = np.where(sign > 0, EMOTIONS.index("amusement"), EMOTIONS.index("sadness"))
    emotion = np.where(says > 0, emotion, EMOTIONS.index("something else"))
    feeling = np.stack([sign * says, 0.5 * sign * says], 1)
    return CommentSet(
        (text / np.linalg.norm(text, axis=1, keepdims=True)).astype(np.float32),
        np.where(known, emotion, -1),
        np.where(known[:, None], feeling, 0.0).astype(np.float32),
        says,
    )


@pytest.fixture(scope="module")
def trained() -> Fusion:
    torch.manual_seed(0)
    fusion = Fusion(FusionConfig(embedding_size=SIZE, fused_size=16, hidden_size=32, weighs=True))
    training = FusionTraining(fusion, fake_feelings(), fake_feelings(seed=1), comments=visitors())
    for number in range(500):
        training.step(number)
    return fusion.eval()


def sides(said: float) -> torch.Tensor:
    """A comment that says nothing (0) or something pleasant (1)."""
    text = torch.zeros(1, SIZE)
    text[0, 0 if said else 1] = 1.0
    return text


def told(fusion: Fusion, image: torch.Tensor, text: torch.Tensor, shown: float, said: float) -> torch.Tensor:
    with torch.no_grad():
        valence: torch.Tensor = fusion(image, text, torch.tensor([[shown, said]]))[2][0, 0]
    return valence


def test_it_knows_what_says_nothing(trained: Fusion) -> None:
    with torch.no_grad():
        assert torch.sigmoid(trained.weigh(sides(0))) < 0.1
        assert torch.sigmoid(trained.weigh(sides(1))) > 0.9


def test_what_says_nothing_leaves_the_picture_in_charge(trained: Fusion) -> None:
    sad = -torch.eye(SIZE)[:1]
    alone = told(trained, sad, sides(0), 1, 0)
    assert alone < -0.2
    assert abs(told(trained, sad, sides(0), 1, 1) - alone) < 0.1
    assert told(trained, sad, sides(1), 1, 1) > alone + 0.5


def test_another_tower_s_words_are_learned_and_the_decoder_still_fits(trained: Fusion) -> None:
    feelings = fake_feelings()
    # The other tower writes everything with the opposite sign.
    other = deepcopy(feelings)
    other.text[:] = -feelings.text
    torch.manual_seed(1)
    fusion = Fusion(FusionConfig(embedding_size=SIZE, fused_size=16, hidden_size=32, weighs=True))
    fusion.load_state_dict(trained.state_dict())
    training = FusionTraining(
        fusion, other, fake_feelings(seed=1), comments=visitors(turned=True), former=Former(trained, feelings.text)
    )
    alone = torch.tensor([[0.0, 1.0]]).expand(len(feelings.text), 2)
    none = torch.zeros(len(feelings.text), SIZE)

    def apart() -> float:
        with torch.no_grad():
            now = fusion.eval().fuse(none, torch.from_numpy(other.text), alone)
            then = trained.fuse(none, torch.from_numpy(feelings.text), alone)
        return float((now - then).square().mean() / then.var())

    before = apart()
    for number in range(600):
        training.step(number)
    assert apart() < 0.25 * before
    assert told(fusion.eval(), none[:1], -sides(1), 0, 1) > 0.5


def test_what_does_not_weigh_is_as_published() -> None:
    torch.manual_seed(0)
    fusion = Fusion(FusionConfig(embedding_size=SIZE, fused_size=16, hidden_size=32)).eval()
    assert not any(name.startswith("weight_head") for name in fusion.state_dict())
    image, text = torch.rand(3, SIZE), torch.rand(3, SIZE)
    with torch.no_grad():
        out = fusion.outer(fusion.inner(torch.cat([text, image], 1) * SIZE**0.5))
        gate = torch.sigmoid(fusion.gate(out))
        expected = gate * out + (1 - gate) * fusion.residual(text * SIZE**0.5)
        torch.testing.assert_close(fusion.fuse(image, text, torch.ones(3, 2)), expected)
    assert FusionConfig.from_dict({k: v for k, v in fusion.config.to_dict().items() if k != "weighs"}) == fusion.config
