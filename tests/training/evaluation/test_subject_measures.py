"""What an evaluation says of subjects: who tells nothing apart is at chance, who knows is far above."""

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from a2m_edge.perception.subject_tables import Label
from tests.fixtures.labelled_bundle import labelled_bundle
from tests.fixtures.training.encoders import write_data
from training.data.labels.picture_labels import NAMED, SUBJECTS, PictureLabels, read_picture_labels
from training.evaluation.report.model import Missing, Report, as_json
from training.evaluation.rows.perceiving import BundlePerception
from training.evaluation.subjects import (
    SubjectMeasures,
    class_table,
    measure_subjects,
    subject_numbers,
    subject_table,
)

LABELS = (
    Label("rain", "subject", 0.5),
    Label("dance", "subject", None),
    Label("Baroque", "style", 0.5),
)


class Knowing(BundlePerception):
    """A bundle whose labels are right of every painting."""

    truth: PictureLabels

    def looks(self, pictures, archive, progress=None):
        images, chances = super().looks(pictures, archive, progress)
        known = {picture.file: row for row, picture in zip(self.truth.subjects, self.truth.pictures, strict=True)}
        for row, picture in enumerate(pictures):
            chances[row, :2] = [known[picture.file][SUBJECTS.index(name)] == NAMED for name in ("rain", "dance")]
        return images, chances


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "data").mkdir()
    write_data(folder / "data")
    spoken = folder / "data" / "artemis.csv"  # of one painting five people speak, and two or more name rain
    more = "Baroque,p3,sadness,the rain rain rain rain,x,3.png,test\n"
    spoken.write_text(spoken.read_text() + 5 * more)
    table = folder / "data" / "paintings.csv"
    table.write_text(table.read_text().replace("a-title", "a-house"))  # which names neither rain nor dance
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return labelled_bundle(tmp_path_factory.mktemp("labelled") / "bundle", (0.7, 0.2, 1.0), labels=LABELS)


def test_a_bundle_that_tells_all_alike_is_at_chance(bundle, shared):
    measures = measure_subjects(BundlePerception(bundle, "cpu"), shared)
    assert isinstance(measures, SubjectMeasures)
    assert [each.name for each in measures.subjects] == [name for name in SUBJECTS if name in ("rain", "dance")]
    for each in measures.subjects:
        assert each.named.precision == pytest.approx(each.named.chance)
    rain = measures.subjects[0]
    assert (rain.told, rain.judged, rain.right) == (measures.paintings, 1, 1)
    numbers = subject_numbers(measures)["subjects"]
    assert numbers["named_times_chance"] == pytest.approx(1)
    assert numbers["style_accuracy"] == numbers["style_commonest"] == 1


def test_a_bundle_that_knows_is_far_above(bundle, shared):
    perception = Knowing(bundle, "cpu")
    perception.truth = read_picture_labels(shared / "data")
    measures = measure_subjects(perception, shared)
    numbers = subject_numbers(measures)["subjects"]
    assert numbers["named_map"] == 1
    assert numbers["named_times_chance"] > 1
    assert numbers["told_rightly"] == 1
    page = as_json(Report("subjects", {}, [subject_table(measures), class_table(measures)]))
    assert '"rain"' in page
    assert "Baroque" in page


def test_a_bundle_without_labels_says_why(tiny_bundle, shared):
    measures = measure_subjects(BundlePerception(tiny_bundle, "cpu"), shared)
    assert isinstance(measures, Missing)
    assert subject_numbers(measures) == {}
    page = as_json(Report("subjects", {}, [subject_table(measures), class_table(measures)]))
    assert "does not tell what pictures show" in page


def test_the_picture_s_cosine_with_a_name_is_measured_too(bundle, shared):
    measures = measure_subjects(BundlePerception(bundle, "cpu"), shared)
    assert isinstance(measures, SubjectMeasures)
    assert all(0 < each.zero_shot.precision <= 1 for each in measures.subjects)
