"""What a picture shows is told where it is sure enough, in a bundle's own labels and in a curator's words."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2m_edge.bundle.manifest import SUBJECTS
from a2m_edge.errors import BundleError
from a2m_edge.impression.subjects import NOTHING
from a2m_edge.perception.encoders import Encoders
from a2m_edge.perception.subject_tables import SCHEMA, Label, Likeness, SubjectTables, Word

PICTURE = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
LIKENESS = Likeness((0.0, 0.0), 0.1, 2.0, -1.0, 0.4)
TABLES = SubjectTables(SCHEMA, (Label("sea", "subject", 0.5), Label("Baroque", "style", None)), LIKENESS)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Makes labelled bundles."""
    pytest.importorskip("onnx")
    from tests.fixtures.labelled_bundle import labelled_bundle

    def make(*chances, **facts):
        return labelled_bundle(tmp_path_factory.mktemp("labelled") / "bundle", *chances, **facts)

    return make


def test_what_is_sure_enough_is_told_and_reaches_what_is_perceived(bundles):
    encoders = Encoders(bundles(), device="cpu")
    sight = encoders.see(PICTURE)
    assert dict(sight.subjects.shown) == {"sea": pytest.approx(0.9)}
    assert (sight.subjects.style, sight.subjects.period) == ("Baroque", "")
    assert encoders.feel(sight, None).subjects == sight.subjects
    assert encoders.feel(None, encoders.comment("calm")).subjects == NOTHING


def test_the_surest_is_first(bundles):
    shown = Encoders(bundles((0.6, 0.8, 0, 0.5, 0.5, 1)), device="cpu").see(PICTURE).subjects.shown
    assert list(shown) == ["church", "sea"]


def test_a_bundle_without_labels_tells_nothing(tiny_bundle):
    encoders = Encoders(tiny_bundle, device="cpu")
    assert encoders.see(PICTURE).subjects == NOTHING
    assert encoders.subjects is None


def test_labels_without_their_names_are_refused(bundles):
    bundle = bundles()
    with pytest.raises(BundleError, match="export it again"):
        Encoders(bundles(labels=TABLES.labels), device="cpu")
    files = {name: record for name, record in bundle.manifest.files.items() if name != SUBJECTS}
    with pytest.raises(BundleError, match=r"no file 'subjects\.json'"):
        Encoders(dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, files=files)), device="cpu")


def test_a_word_of_a_curator_is_told_where_its_sentence_is_like_the_picture_and_sounds_as_its_subject(bundles):
    words = {"lighthouse": Word("a lighthouse on a rock", "sea"), "bread": Word("bread on a table")}
    plain = Encoders(bundles(np.zeros(6)), device="cpu")
    embedding = plain.image(PICTURE)
    like = {name: float(embedding @ plain.comment(word.sentence)) > 0 for name, word in words.items()}
    shown = Encoders(bundles(np.zeros(6), words=words), device="cpu").see(PICTURE).subjects.shown
    assert {name: name in shown for name in words} == like
    assert ("sea" in shown) == like["lighthouse"]
    assert not Encoders(bundles(np.zeros(6), words=words, threshold=None), device="cpu").see(PICTURE).subjects.shown


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_the_more_alike_the_surer(one, other):
    sentence = np.array([1, 0], np.float32)
    sure = [LIKENESS.sureness(np.array([cosine, 0], np.float32), sentence) for cosine in sorted((one, other))]
    assert 0 < sure[0] <= sure[1] < 1


def test_tables_are_what_was_written(tmp_path):
    tables = dataclasses.replace(TABLES, words={"lighthouse": Word("a lighthouse", "sea")})
    (tmp_path / SUBJECTS).write_text(tables.to_json())
    assert SubjectTables.read(tmp_path / SUBJECTS) == tables


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 9}, "schema is 9"),
        ({"words": {"": {"sentence": "x", "sounds": ""}}}, "says nothing"),
        ({"words": {"sea": {"sentence": "x", "sounds": ""}}}, "a subject already"),
        ({"words": {"ark": {"sentence": "x", "sounds": "flood"}}}, "none of its subjects"),
        ({"words": {str(n): {"sentence": "x", "sounds": ""} for n in range(65)}}, "64 are the most"),
        ({"words": ["ark"]}, "words"),
        ({"labels": [{"name": "sea", "kind": "subject", "threshold": 0.5}] * 2}, "that of another"),
        ({"labels": [{"name": "sea", "kind": "subject", "threshold": 1.5}]}, "threshold"),
        ({"labels": [{"name": "sea", "kind": "mood", "threshold": 0.5}]}, "kind"),
        ({"likeness": {"mean": [], "deviation": 1.0, "slope": 1.0, "offset": 0.0, "threshold": None}}, "compares"),
        ({"more": 1}, "more"),
    ],
)
def test_tables_that_make_no_sense_are_refused(tmp_path, change, said):
    document = json.loads(TABLES.to_json()) | change
    (tmp_path / SUBJECTS).write_text(json.dumps(document))
    with pytest.raises(BundleError, match=said):
        SubjectTables.read(tmp_path / SUBJECTS)


@given(st.binary(max_size=80))
def test_bytes_that_are_no_tables_are_refused_in_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("tables") / SUBJECTS
    path.write_bytes(content)
    with pytest.raises(BundleError, match="restore their bundle"):
        SubjectTables.read(path)
