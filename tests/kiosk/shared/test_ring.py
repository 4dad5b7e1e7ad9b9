"""The ring: nothing lost, doubled or torn between real processes, however they are scheduled or killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kiosk.shared.ring import AudioRing
from tests.fixtures.places import ROOT

# A running number that float32 holds exactly: what came from where can be told from every sample.
NUMBERS = 1 << 22


def numbers(begin: int, count: int) -> np.ndarray:
    """Samples of two channels; the second one holds the same numbers below zero."""
    left = (np.arange(begin, begin + count) % NUMBERS).astype(np.float32)
    return np.stack([left, -left], 1)


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    return output


@pytest.fixture
def queue() -> Iterator[AudioRing]:
    with AudioRing.create(1000, 2) as ring:
        yield ring


class QueueMachine(RuleBasedStateMachine):
    """A queue of every small size against plain counting: the n-th sample that goes in is the number n."""

    ring: AudioRing

    @initialize(capacity=st.integers(1, 9))
    def create(self, capacity: int) -> None:
        self.ring = AudioRing.create(capacity, 2)
        self.writer, self.reader = AudioRing.attach(self.ring.name), AudioRing.attach(self.ring.name)
        self.written = self.taken = self.missing = self.underruns = self.streams = 0
        self.first_break = self.newest_break = 0

    @rule(count=st.integers(0, 20))
    def write(self, count: int) -> None:
        fitting = min(count, self.ring.capacity - (self.written - self.taken))
        assert self.writer.write(numbers(self.written, count)) == fitting
        self.written += fitting

    @rule(count=st.integers(0, 20))
    def read(self, count: int) -> None:
        there = min(count, self.written - self.taken)
        samples = self.reader.read(count)
        assert samples.dtype == np.float32 and samples.shape == (count, 2)
        np.testing.assert_array_equal(samples[:there], numbers(self.taken, there))
        np.testing.assert_array_equal(samples[there:], 0)
        self.taken += there
        self.missing += count - there
        self.underruns += there < count

    @rule(count=st.integers(0, 20))
    def skip(self, count: int) -> None:
        self.reader.skip(count)
        self.taken += min(count, self.written - self.taken)

    @rule()
    def begin_anew(self) -> None:
        self.writer.close()
        self.writer = AudioRing.attach(self.ring.name)
        assert self.writer.begin() == self.written
        if self.first_break <= self.taken:
            self.first_break = self.written
        self.newest_break = self.written
        self.streams += 1

    @rule()
    def replace_the_reader(self) -> None:
        self.reader.close()
        self.reader = AudioRing.attach(self.ring.name)

    @invariant()
    def counts(self) -> None:
        if not hasattr(self, "ring"):
            return
        for ring in (self.ring, self.writer, self.reader):
            assert (ring.written, ring.taken) == (self.written, self.taken)
            assert ring.available == self.written - self.taken
            assert ring.space == ring.capacity - ring.available
            assert (ring.missing, ring.underruns, ring.streams) == (self.missing, self.underruns, self.streams)
            assert ring.began == self.newest_break
            ahead = [each for each in (self.first_break, self.newest_break) if each > self.taken]
            assert ring.unbroken == min([self.written, *ahead]) - self.taken

    def teardown(self) -> None:
        if hasattr(self, "ring"):
            for ring in (self.writer, self.reader, self.ring):
                ring.close()
            self.ring.unlink()


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(deadline=None, max_examples=60)


@settings(deadline=None, max_examples=150)
@given(
    capacity=st.integers(1, 12),
    steps=st.lists(st.tuples(st.sampled_from(["write", "listen"]), st.integers(0, 40)), max_size=30),
)
def test_a_listener_gets_what_was_written_or_is_told_how_much_it_lost(capacity, steps):
    with AudioRing.create(capacity, 2, broadcast=True) as ring:
        written = position = 0
        for kind, count in steps:
            if kind == "write":
                assert ring.space == capacity
                assert ring.write(numbers(written, count)) == count
                written += count
                continue
            heard = ring.latest(position, count)
            assert (heard.lost > 0) == (written - position > capacity)
            first = position + heard.lost
            assert written - first <= capacity
            assert len(heard.samples) == min(count, written - first)
            np.testing.assert_array_equal(heard.samples, numbers(first, len(heard.samples)))
            assert heard.position == first + len(heard.samples)
            position = heard.position
        assert ring.written == written


def test_listening_takes_nothing_from_the_reader(queue):
    queue.write(numbers(0, 600))
    heard = queue.latest(100, 900)
    np.testing.assert_array_equal(heard.samples, numbers(100, 500))
    np.testing.assert_array_equal(queue.read(600), numbers(0, 600))
    queue.write(numbers(600, 600))
    assert queue.latest(heard.position, 900).lost == 0
    assert queue.latest(5000, 10).position == 5000, "a listener ahead of the writer waits for it"


@pytest.mark.parametrize("capacity", [0, -1, (1 << 28) + 1])
def test_impossible_capacities_are_refused(capacity):
    with pytest.raises(ValueError, match="capacity"):
        AudioRing.create(capacity, 1)


@pytest.mark.parametrize("channels", [0, -1, 65])
def test_impossible_channels_are_refused(channels):
    with pytest.raises(ValueError, match="channels"):
        AudioRing.create(10, channels)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_ring_says_how_many_channels_it_has(channels):
    with AudioRing.create(10, channels) as ring:
        other = AudioRing.attach(ring.name)
        assert other.channels == channels
        sound = np.arange(7 * channels, dtype=np.float32).reshape(7, channels)
        assert ring.write(sound) == 7
        np.testing.assert_array_equal(other.read(7), sound)
        other.close()


def test_what_is_no_ring_is_refused(queue):
    with pytest.raises(FileNotFoundError):
        AudioRing.attach("a2m-no-such-ring")
    for content in (b"", b"x" * 191, b"x" * 4096):
        path = Path("/dev/shm/a2m-test-no-ring")
        path.write_bytes(content)
        try:
            with pytest.raises(ValueError, match="no ring"):
                AudioRing.attach(path.name)
        finally:
            path.unlink()


COPIER = """
import sys
import numpy as np
from kiosk.shared.ring import AudioRing
ring = AudioRing.attach(sys.argv[1])
total, generator, position = int(sys.argv[2]), np.random.default_rng(1), 0
while position < total:
    count = int(generator.integers(1, 400))
    left = (np.arange(position, min(total, position + count)) % (1 << 22)).astype(np.float32)
    position += ring.write(np.stack([left, -left], 1))
ring.close()
"""


def test_two_processes_at_full_speed_lose_and_double_nothing(queue):
    total = 20 * NUMBERS // 8  # many thousand times around
    writer = python(COPIER, queue.name, str(total))
    generator, position = np.random.default_rng(2), 0
    while position < total and writer.poll() in (None, 0):
        count = min(int(generator.integers(1, 400)), queue.available)
        samples = queue.read(count)
        assert np.array_equal(samples, numbers(position, count))
        position += count
    finished(writer)
    assert (position, queue.available, queue.underruns) == (total, 0, 0)


def test_what_was_missing_in_a_race_is_counted_to_the_sample(queue):
    total = 300_000
    writer = python(COPIER, queue.name, str(total))
    got, silent = 0, 0
    while got < total and writer.poll() in (None, 0):
        before = queue.missing
        samples = queue.read(64)
        there = 64 - (queue.missing - before)
        assert np.array_equal(samples[:there], numbers(got, there))
        assert not samples[there:].any()
        got += there
        silent += 64 - there
    finished(writer)
    assert (queue.taken, queue.missing) == (total, silent)


def test_listeners_never_hear_a_torn_passage_however_fast_the_writer_laps_them():
    total = 5 * NUMBERS // 4
    with AudioRing.create(4096, 2, broadcast=True) as ring:
        writer = python(COPIER, ring.name, str(total))
        position = lost = heard_all = 0
        while writer.poll() is None or position < ring.written:
            heard = ring.latest(position, 3000)
            assert heard.position == position + heard.lost + len(heard.samples)
            if len(heard.samples):
                assert np.array_equal(heard.samples, numbers(position + heard.lost, len(heard.samples)))
            position, lost, heard_all = heard.position, lost + heard.lost, heard_all + len(heard.samples)
        finished(writer)
        assert position == total == lost + heard_all
        assert heard_all > 0 and lost > 0, "the listener was meant to be lapped"


def test_numpy_stores_and_loads_64_bit_words_whole(tmp_path):
    """What the counters rely on: a torn one would jump by 2^32 when both of its halves change."""
    path = tmp_path / "word"
    path.write_bytes(bytes(4096))
    code = (
        "import sys, numpy as np\n"
        "words = np.memmap(sys.argv[1], np.uint64, 'r+')\n"
        "for step in range(300_000): words[9] = (1 << 32) - 1 + step % 2\n"
        "words[9] = 0\n"
    )
    words = np.memmap(path, np.uint64, "r")
    writer = python(code, str(path))
    seen = set()
    while writer.poll() is None:
        seen.update([int(words[9]), int(words[9])])
    finished(writer)
    assert seen == {0, (1 << 32) - 1, 1 << 32}


def test_a_writer_that_is_killed_leaves_a_ring_that_goes_on(queue):
    code = (
        "import sys\nimport numpy as np\nfrom kiosk.shared.ring import AudioRing\n"
        "ring = AudioRing.attach(sys.argv[1])\nposition = ring.begin()\n"
        "while True:\n"
        "    left = (np.arange(position, position + 37) % (1 << 22)).astype(np.float32)\n"
        "    position += ring.write(np.stack([left, -left], 1))\n"
    )
    position = 0
    for turn in range(1, 5):
        writer = python(code, queue.name)
        goal = position + 20_000
        while position < goal:
            assert writer.poll() is None
            count = min(50, queue.available)
            assert np.array_equal(queue.read(count), numbers(position, count))
            position += count
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        left = queue.available
        assert np.array_equal(queue.read(left), numbers(position, left))
        position += left
        assert queue.streams == turn


def test_a_ring_outlives_the_processes_that_attach_to_it(queue):
    """The resource tracker of an unrelated process must not remove what this process has made."""
    queue.write(numbers(0, 10))
    finished(python("import sys; from kiosk.shared.ring import AudioRing; AudioRing.attach(sys.argv[1])", queue.name))
    np.testing.assert_array_equal(AudioRing.attach(queue.name).read(10), numbers(0, 10))


def test_nothing_is_left_behind_when_the_maker_of_a_ring_is_killed():
    code = (
        "import time; from kiosk.shared.ring import AudioRing; print(AudioRing.create(9, 2).name, flush=True); "
        "time.sleep(60)"
    )
    maker = python(code)
    assert maker.stdout is not None
    path = Path("/dev/shm") / maker.stdout.readline().strip()
    assert path.exists()
    maker.send_signal(signal.SIGKILL)
    maker.communicate()
    deadline = time.monotonic() + 30
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not path.exists()


def test_an_orderly_end_is_quiet_and_leaves_nothing():
    code = "from kiosk.shared.ring import AudioRing\nwith AudioRing.create(9, 2) as ring: print(ring.name)"
    assert not (Path("/dev/shm") / finished(python(code)).strip()).exists()


def test_a_thread_can_watch_the_counters_that_another_one_changes(queue):
    end = threading.Event()
    faults: list[int] = []

    def watch() -> None:
        while not end.is_set():
            available = queue.available
            if not 0 <= available <= queue.capacity:
                faults.append(available)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3000):
        queue.write(np.ones((700, 2), np.float32))
        queue.read(500)
    end.set()
    watcher.join()
    assert not faults
