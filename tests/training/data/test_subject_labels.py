"""What titles and utterances say that a painting shows, and what they leave unknown."""

import csv

import numpy as np
import pytest

from tests.fixtures.training.encoders import write_data
from training.data.labels.picture_labels import ABSENT, NAMED, PERIODS, SUBJECTS, UNKNOWN, UNNAMED, read_picture_labels
from training.data.labels.plain_pictures import plain_picture
from training.data.labels.subject_words import SUBJECT_WORDS, expression, plain

HEADER = "file,style,artist,title,year,artemis_key,split,kind,artist_dead_70,crop,crop_note,name"


@pytest.fixture
def labels(tmp_path):
    """Labels of paintings that are given as (title, utterances) or (title, utterances, style, year)."""
    write_data(tmp_path)

    def read(*paintings):
        with (tmp_path / "artemis.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["art_style", "painting", "emotion", "utterance", "source", "image_file", "split"])
            for number, (_, utterances, *_) in enumerate(paintings):
                rows.writerows(["Baroque", number, "awe", text, "x", f"{number}.png", "val"] for text in utterances)
        lines = [HEADER]
        for number, (title, _, *more) in enumerate(paintings):
            style, year = more or ("Baroque", "")
            lines.append(f'{number}.png,{style},somebody,{title},{year},,val,named,yes,"0,0,9,9",ok,x')
        (tmp_path / "paintings.csv").write_text("\n".join(lines) + "\n")
        return read_picture_labels(tmp_path)

    return read


def known(labels, subject, row=0):
    return labels.subjects[row, SUBJECTS.index(subject)]


@pytest.mark.parametrize(
    ("title", "utterances", "state"),
    [
        ("stormy-sea-at-night", [], NAMED),
        ("the-harbour-of-le-havre", [], NAMED),
        ("am-meer", [], NAMED),
        ("portrait-of-a-lady", [], UNNAMED),
        ("portrait-of-a-lady", ["I like the sea"], UNKNOWN),
        ("portrait-of-a-lady", ["I like the sea", "these waves frighten me"], NAMED),
        ("portrait-of-a-lady", ["a calm face"] * 4, UNNAMED),
        ("portrait-of-a-lady", ["a calm face"] * 5, ABSENT),
        ("not-detected-12345", [], UNKNOWN),
        ("untitled", [], UNKNOWN),
        ("", [], UNKNOWN),
        ("", ["a calm face"] * 5, ABSENT),
        ("not-detected-7", ["the waves", "the sea"], NAMED),
        ("the-nauseating-research", [], UNNAMED),
    ],
)
def test_a_subject_is_named_by_a_title_or_two_people_and_absent_where_five_are_silent(labels, title, utterances, state):
    assert known(labels((title, utterances)), "sea") == state


@pytest.mark.parametrize(
    ("text", "subject", "named"),
    [
        ("A still life with apples", "table", True),
        ("this work of art is dull", "work", False),
        ("the labourers are working", "work", True),
        ("a sea of faces", "sea", False),
        ("St Petersburg in winter", "prayer", False),
        ("Gustave Courbet", "wind", False),
        ("a windmill in the wind", "wind", True),
        ("I love these colours", "love", False),
        ("Two lovers kiss", "love", True),
        ("the rose window", "flowers", False),
        ("pink roses", "flowers", True),
    ],
)
def test_words_that_mean_something_else_do_not_count(text, subject, named):
    assert bool(expression(SUBJECT_WORDS[subject].said).search(plain(text))) == named


def test_styles_and_periods(labels):
    read = labels(("x", [], "Art_Nouveau_Modern", "1899"), ("y", [], "Baroque", "1650"), ("z", [], "Baroque", ""))
    assert read.styles == ("Art Nouveau Modern", "Baroque")
    periods = list(PERIODS)
    assert read.period.tolist() == [periods.index("late 19th century"), periods.index("17th century"), -1]
    assert read.style.tolist() == [0, 1, 1]
    assert read.of("val").tolist() == [0, 1, 2]
    assert read.of("train").tolist() == []


def test_pictures_of_nothing_are_all_different_and_the_same_in_every_run():
    made = [plain_picture(number, 24) for number in range(60)]
    assert len({picture.tobytes() for picture in made}) == len(made)
    assert all(picture.shape == (24, 24, 3) and picture.dtype == np.uint8 for picture in made)
    np.testing.assert_array_equal(made[41], plain_picture(41, 24))
