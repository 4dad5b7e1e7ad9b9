"""Pictures as worse cameras and files show them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.tables.disturbed import COLOURS, GRAIN, Disturbance, DisturbedPictures
from training.data.tables.feelings import Picture, PictureArchive

SIZE = 64


@pytest.fixture
def archive(tmp_path: Path) -> PictureArchive:
    """Two smooth pictures of the size that is asked for, so that nothing is scaled."""
    (tmp_path / "style").mkdir()
    across = np.linspace(40, 210, SIZE)
    for number, colour in enumerate(((1.0, 0.7, 0.3), (0.3, 0.6, 1.0))):
        pixels = across[None, :, None] * np.array(colour) + across[:, None, None] / 8
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "style" / f"{number}.png")
    return PictureArchive(tmp_path, SIZE)


def picture(number: int) -> Picture:
    return Picture(f"style/{number}.png", None, "", "train")


@pytest.mark.parametrize("disturbance", ["grain", "palette"])
def test_a_picture_is_disturbed_always_alike_and_keeps_its_colours(
    archive: PictureArchive, disturbance: Disturbance
) -> None:
    disturbed = DisturbedPictures(archive, disturbance)
    for number in range(2):
        plain, worse = archive.square(picture(number)), disturbed.square(picture(number))
        assert worse.dtype == np.uint8 and worse.shape == plain.shape
        assert (worse != plain).any()
        assert np.array_equal(worse, disturbed.square(picture(number)))
        assert np.abs(worse.astype(float).mean((0, 1)) - plain.mean((0, 1))).max() < 2


def test_grain_is_as_strong_as_stated_and_a_palette_as_small(archive: PictureArchive) -> None:
    grain = DisturbedPictures(archive, "grain").square(picture(0)).astype(float) - archive.square(picture(0))
    assert 0.8 * GRAIN[0] < grain.std() < 1.2 * GRAIN[1]
    few = DisturbedPictures(archive, "palette").square(picture(0))
    assert len(np.unique(few.reshape(-1, 3), axis=0)) <= COLOURS[1]


def test_features_that_were_kept_know_how_a_picture_was_disturbed(archive: PictureArchive) -> None:
    sums = {DisturbedPictures(archive, how).checksum(picture(0)) for how in ("grain", "palette")}
    assert len(sums | {archive.checksum(picture(0))}) == 3
