"""Where the music looks, as the pages learn it: in step with the sound, and never on another picture."""

from __future__ import annotations

import time

import numpy as np
import pytest

from a2m_edge.sound.format import FORMATS
from kiosk.shared.channel import open_channel
from kiosk.shared.counters import Controls, Progress
from kiosk.shared.links import WebLinks
from kiosk.shared.messages import Looking, Shown
from kiosk.shared.settings import WebSettings
from kiosk.web.exhibit.linked_exhibit import LinkedExhibit
from kiosk.web.exhibit.view import seen_at

BOX = (0.5, 0.5, 0.3, 0.2)
PICTURE = np.zeros((4, 6, 3), np.uint8)
PATIENCE = 20.0


@pytest.fixture
def company(tmp_path):
    """What the supervisor tells, and the exhibit that is told."""
    says, inbox = open_channel(8)
    outbox, _ = open_channel(8)
    links = WebLinks(
        inbox=inbox,
        outbox=outbox,
        audio=FORMATS["22k-mono"],
        comment_language="en",
        played_ring="none",
        progress=Progress(),
        controls=Controls(),
        calibration=tmp_path / "region.json",
        region=None,
        rotate=0,
    )
    yield says, LinkedExhibit(WebSettings(port=0), links)
    inbox.close()


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_look_is_told_when_it_is_heard(company):
    says, exhibit = company
    says.put(Shown(1, PICTURE))
    says.put(Looking(BOX, time.monotonic() - 1.0))
    until(lambda: exhibit.state().look == BOX)
    due = time.monotonic() + 0.5
    says.put(Looking(None, due))
    until(lambda: exhibit.state().look is None)
    assert time.monotonic() >= due


def test_another_artwork_is_not_lit_where_the_one_before_was(company):
    says, exhibit = company
    says.put(Shown(1, PICTURE))
    says.put(Looking(BOX, time.monotonic() - 1.0))
    until(lambda: exhibit.state().look == BOX)
    says.put(Looking((0.0, 0.0, 0.1, 0.1), time.monotonic() + PATIENCE))
    says.put(Shown(2, PICTURE))
    until(lambda: exhibit.state().artwork == 2)
    assert exhibit.state().look is None


def test_a_region_is_seen_in_perspective():
    square = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
    assert seen_at((0.25, 0.5, 0.5, 0.5), square) == pytest.approx(
        np.array([(0.3, 0.5), (0.7, 0.5), (0.7, 0.9), (0.3, 0.9)]), abs=1e-5
    )
    leaning = ((0.2, 0.2), (0.8, 0.3), (0.8, 0.7), (0.2, 0.8))  # its right side is farther away
    middle = seen_at((0.0, 0.0, 0.5, 1.0), leaning)
    assert middle is not None and middle[1][0] > 0.5
    assert seen_at((0.0, 0.0, 1.0, 1.0), leaning) == pytest.approx(np.array(leaning), abs=1e-5)
    assert seen_at(None, square) is None
    assert seen_at(BOX, None) is None
