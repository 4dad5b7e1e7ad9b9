"""The channel between two processes: bounded, never blocking, and unharmed by a process that is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.shared.channel import Receiver, Sender, Waiting, open_channel
from kiosk.shared.messages import Forget, Hear, See

LONG = 30.0


def echo(sender: Sender, receiver: Receiver) -> None:
    """Sends back what it gets, until nobody sends any more."""
    while not receiver.closed:
        message = receiver.get(0.1)
        if message is not None:
            sender.put(message)


@pytest.fixture
def other():
    """A process that echoes; its two channel ends here, and the process."""
    context = multiprocessing.get_context("spawn")
    to_here, here = open_channel(4)
    there, to_there = open_channel(4)
    process = context.Process(target=echo, args=(to_here, to_there), daemon=True)
    process.start()
    to_here.close()
    to_there.close()
    yield there, here, process
    process.kill()
    process.join(LONG)


def test_messages_arrive_whole_and_in_order(other):
    there, here, _ = other
    picture = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    there.put(See(picture))
    assert np.array_equal(here.get(LONG).picture, picture)
    for number in range(100):
        there.put(Hear(f"words {number}", float(number)))
        assert here.get(LONG) == Hear(f"words {number}", float(number))


def test_a_reader_that_stands_still_blocks_nobody_and_gets_the_newest(other):
    there, here, process = other
    there.put(Forget())
    assert here.get(LONG) == Forget()
    os.kill(process.pid, signal.SIGSTOP)
    began = time.monotonic()
    for grey in range(200):
        there.put(See(np.full((500, 500, 3), grey, np.uint8)))
    assert time.monotonic() - began < LONG  # nothing waits for the reader
    assert there.dropped >= 200 - 4 - 2
    os.kill(process.pid, signal.SIGCONT)
    greys = [int(here.get(LONG).picture[0, 0, 0])]
    while greys[-1] != 199:
        greys.append(int(here.get(LONG).picture[0, 0, 0]))
    assert greys == sorted(greys)


def test_the_end_of_either_side_is_seen(other):
    there, here, process = other
    there.put(See(np.zeros((2000, 2000, 3), np.uint8)))  # it may die in the middle of this
    os.kill(process.pid, signal.SIGKILL)
    process.join(LONG)
    while here.get(LONG) is not None:
        pass
    assert here.closed
    there.put(Forget())
    end = time.monotonic() + LONG
    while not there.closed and time.monotonic() < end:
        there.put(Forget())
        time.sleep(0.01)
    assert there.closed


def test_looking_does_not_wait():
    sender, receiver = open_channel(1)
    assert receiver.get(0) is None
    sender.put(Forget())
    assert receiver.get(LONG) == Forget()
    receiver.close()
    assert receiver.get() is None


@given(limit=st.integers(1, 4), kinds=st.lists(st.sampled_from([int, str, float]), max_size=40))
def test_the_newest_of_each_kind_are_kept_in_order(limit, kinds):
    waiting = Waiting(limit)
    put = [kind(number) for number, kind in enumerate(kinds)]
    for message in put:
        waiting.add(message)
    kept = [waiting.take(0) for _ in range(len(waiting))]
    expected = [
        message
        for place, message in enumerate(put)
        if sum(type(later) is type(message) for later in put[place:]) <= limit
    ]
    assert kept == expected
    assert waiting.dropped == len(put) - len(kept)
