"""A curator gives a bundle words: one command, and what a picture then shows."""

import numpy as np
import pytest

from a2m_edge.bundle import open_bundle
from a2m_edge.bundle.manifest import SUBJECTS
from a2m_edge.perception.encoders import Encoders
from a2m_edge.perception.subject_tables import SubjectTables
from tests.fixtures.places import TINY_BUNDLE
from tests.fixtures.programs import spoken

PICTURE = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
LIGHTHOUSE = ("--add", "lighthouse=a lighthouse on a rock", "--sounds", "lighthouse=church")


@pytest.fixture
def bundle(tmp_path):
    pytest.importorskip("onnx")
    from tests.fixtures.labelled_bundle import labelled_bundle

    return labelled_bundle(tmp_path / "bundle", threshold=1e-6)


def words(folder):
    return SubjectTables.read(open_bundle(folder).file(SUBJECTS)).words


def test_a_word_is_added_told_of_pictures_and_taken_away(bundle, tmp_path, capsys):
    status, said = spoken(capsys, "bundle", "words", bundle.path, *LIGHTHOUSE, "-o", tmp_path / "new")
    assert (status, "1 words" in said) == (0, True)
    shown = Encoders(open_bundle(tmp_path / "new"), device="cpu").see(PICTURE).subjects.shown
    assert {"lighthouse", "church"} <= set(shown)
    assert words(bundle.path) == {}
    status, said = spoken(capsys, "bundle", "words", tmp_path / "new")
    assert status == 0
    assert "a lighthouse on a rock" in said
    # The bundle was written by the command, so that it may take the place of itself.
    status, _ = spoken(capsys, "bundle", "words", tmp_path / "new", "--remove", "lighthouse", "-o", tmp_path / "new")
    assert status == 0
    assert words(tmp_path / "new") == {}
    assert open_bundle(tmp_path / "new").manifest == bundle.manifest


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--add", "lighthouse"), "give WORD=SENTENCE"),
        (("--add", "lighthouse="), "give WORD=SENTENCE"),
        (("--add", "sea=the sea"), "a subject already"),
        (("--add", "x=y", "--sounds", "x=flood"), "the subjects are sea, church, night"),
        (("--sounds", "x=sea"), "no word 'x'"),
        (("--remove", "x"), "no word 'x'"),
        (("--add", "x=\u200b"), "comment"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(bundle, tmp_path, capsys, options, said):
    status, told = spoken(capsys, "bundle", "words", bundle.path, *options, "-o", tmp_path / "new")
    assert (status, said in told) == (2, True), told
    assert not (tmp_path / "new").exists()


def test_a_stranger_s_bundle_is_not_replaced_and_a_sealed_one_not_changed(bundle, capsys):
    status, said = spoken(capsys, "bundle", "words", bundle.path, *LIGHTHOUSE, "-o", bundle.path)
    assert (status, words(bundle.path)) == (2, {})
    status, said = spoken(capsys, "bundle", "words", bundle.path, *LIGHTHOUSE)
    assert (status, "--output" in said) == (2, True)
    status, said = spoken(capsys, "bundle", "words", bundle.path, *LIGHTHOUSE, "-o", bundle.path, "--force")
    assert (status, set(words(bundle.path))) == (0, {"lighthouse"})


def test_a_bundle_that_tells_nothing_says_so(capsys):
    status, said = spoken(capsys, "bundle", "words", TINY_BUNDLE)
    assert (status, "does not tell what pictures show" in said) == (2, True)


def test_words_of_embeddings_that_tell_too_little_are_taken_with_a_warning(tmp_path, capsys):
    pytest.importorskip("onnx")
    from tests.fixtures.labelled_bundle import labelled_bundle

    poor = labelled_bundle(tmp_path / "poor", threshold=None)
    status, said = spoken(capsys, "bundle", "words", poor.path, *LIGHTHOUSE, "-o", tmp_path / "new")
    assert (status, "no word will be told" in said) == (0, True)
