"""What stands beside a work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2m_edge.collection.captions import Caption, caption


@pytest.mark.parametrize(
    ("image", "carried", "expected"),
    [
        ("/a/calm_sea-2.jpg", {}, Caption("Calm sea 2", "", "")),
        ("https://museum.example/a/The%20Sea.jpg", {}, Caption("The Sea", "", "")),
        (None, {}, Caption("work-1", "", "")),
        ("http://[", {}, Caption("work-1", "", "")),
        ("x.jpg", {"Title": " The\nsea ", "ARTIST": "I. A.", "Year": "1850"}, Caption("The sea", "I. A., 1850", "")),
        ("x.jpg", {"title": "", "name": "Sea", "attribution": "The Museum"}, Caption("Sea", "", "The Museum")),
        ("a\udcff.jpg", {"year": "1850"}, Caption("A\\xff", "1850", "")),
    ],
)
def test_captions_are_made_of_what_is_known(image, carried, expected):
    assert caption("work-1", image, carried) == expected


@given(
    image=st.none() | st.text(st.characters()),
    carried=st.dictionaries(st.sampled_from(["title", "artist", "date"]), st.text(st.characters())),
)
def test_every_caption_can_be_written_on_a_line(image, carried):
    made = caption("work-1", image, carried)
    assert made.title
    for text in (made.title, made.byline, made.credit):
        text.encode()
        assert text.isprintable()
