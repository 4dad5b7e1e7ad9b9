"""The music process: turns pictures and comments into sound, ahead of what is played."""

from __future__ import annotations

import dataclasses
import logging
import time

import numpy as np

from a2m_edge.bundle import open_bundle
from a2m_edge.composer.plan import plan
from a2m_edge.errors import CommentError
from a2m_edge.explanation import causes
from a2m_edge.impression.gaze import Region
from a2m_edge.sound.format import AudioChunk
from a2m_edge.soundscape import Soundscape
from kiosk.shared.channel import Receiver
from kiosk.shared.links import MusicLinks
from kiosk.shared.messages import Cause, Felt, Forget, Hear, Looking, MusicState, See
from kiosk.shared.ring import AudioRing
from kiosk.shared.settings import MusicSettings

NEWS_SECONDS, STEADY_SECONDS, LATE_SECONDS = 0.093, 0.186, 0.372
"""Length of a chunk: short after a change of feeling, so that the change reaches the ring soon; long when the ring runs
low. Each chunk also computes its context. Measured with the default bundle on two cores, a second of sound takes 0.44 s
in chunks of 0.093 s (8 mel frames), 0.28 s in chunks of 0.186 s, and 0.22 s in chunks of 0.372 s."""

OPENING = "Calm and peaceful, a quiet place where I feel content and safe."
"""The comment that the music follows before the first picture or comment; the bed is made from it too."""

SCORE_SECONDS = 30.0
"""How much of the played score is kept."""

_SHORTEST_WAIT, _LONGEST_WAIT = 0.005, 0.05
_MEASURED = 10.0  # seconds of sound over which the headroom is measured
_NARROW = 1.3  # a headroom below which a busy moment makes live sound late

_WELL = "live sound is made"
_BADLY = "this computer is hardly fast enough for live sound: end what else runs on it"

_log = logging.getLogger(__name__)


def run_music(settings: MusicSettings, links: MusicLinks) -> None:
    """Makes sound until ``stopping`` is set or the supervisor is gone.

    Raises:
        BundleError, DeviceError, MissingExtraError: the bundle cannot be used here.
    """
    _Music(settings, links).run()


class _Music:
    """Keeps ``lead`` seconds of sound in the ring; the sound follows the newest picture and comment."""

    def __init__(self, settings: MusicSettings, links: MusicLinks) -> None:
        self._links = links
        self._mail = _Mail(links.inbox)
        bundle = open_bundle(settings.bundle)
        self._audio = bundle.manifest.audio
        self._names = bundle.manifest.instruments
        self._soundscape = Soundscape(
            bundle,
            # Otherwise a restarted process would begin with the same piece as the one before it.
            seed=settings.seed + links.progress.chunks_made.value,
            device=settings.device,
            threads=settings.threads,
            score_seconds=SCORE_SECONDS,
        )
        self._ring = AudioRing.attach(links.ring)
        self._ring.begin()
        self._news, self._steady, self._late = (
            max(1, self._audio.frames(seconds)) for seconds in (NEWS_SECONDS, STEADY_SECONDS, LATE_SECONDS)
        )
        longest = self._late * self._audio.hop
        self._lead = min(round(settings.lead * self._audio.sample_rate), self._ring.capacity - longest)
        self._same_work = settings.same_work
        self._begun = False
        self._has_picture = self._has_comment = False
        self._felt: list[Felt] = []  # changes that are not in the ring yet
        self._region: Region | None = None  # where the music looks that was last written
        self._first_chunk = links.progress.chunks_made.value + 1
        self._made = self._worked = 0.0  # seconds since the headroom was last measured

    def run(self) -> None:
        while not self._links.controls.stopping and not self._links.inbox.closed:
            self._mail.collect(self._wait())
            self._perceive()
            frames = self._wanted()
            if 0 < frames * self._audio.hop <= self._ring.space:
                self._make(frames)
            elif self._begun and not self._mail:
                self._soundscape.look_ahead()  # one region at most: a comment must not wait for more
        self._ring.close()

    def _wait(self) -> float:
        """Seconds to wait for a message before more sound must be made."""
        if self._mail or not self._begun:
            return 0.0
        if self._links.controls.paused:
            return _LONGEST_WAIT
        ahead = (self._ring.available - self._lead) / self._audio.sample_rate
        return 0.0 if ahead <= 0.0 else min(_LONGEST_WAIT, ahead + _SHORTEST_WAIT)

    def _wanted(self) -> int:
        """Mel frames to make now, or 0."""
        available = self._ring.available
        if self._links.controls.paused or not self._begun:
            return 0
        if available < self._lead / 4:  # the bed is played already, or will be before any chunk is made
            return self._late
        if self._felt and available <= self._lead + self._steady * self._audio.hop:
            return self._news  # a little more than the lead; but a flood of comments must not fill the ring
        return self._steady if available <= self._lead else 0

    def _perceive(self) -> None:
        """Handles the next message, if there is one: comments first, since they take less time than pictures.

        The first call that leaves no message waiting lets the music begin, with ``OPENING`` if there was neither a
        picture nor a comment.
        """
        match self._mail.take():
            case Hear() as words:
                self._listen(words)
            case Forget():
                self._forget()
            case See(picture):
                self._look(picture)
        if not self._begun and not self._mail:
            if not (self._has_picture or self._has_comment):
                begun = time.monotonic()
                self._soundscape.hear(OPENING)
                self._feel("start", begun)
            self._begun = True

    def _look(self, picture: np.ndarray) -> None:
        begun = time.monotonic()
        try:
            if self._soundscape.see_another(picture, self._same_work) is None:
                return
        except ValueError:
            _log.warning("what was sent as a picture of the artwork is none: it is left out")
            return
        if not self._has_comment:
            self._soundscape.hear(None)  # drops the opening's comment
        self._has_picture = True
        self._links.progress.pictures_felt.add()
        self._feel("picture", begun)

    def _listen(self, words: Hear) -> None:
        begun = time.monotonic()
        try:
            self._soundscape.hear(words.comment)
        except CommentError:
            _log.warning("a comment held nothing that can be understood: it is left out")
            return
        self._has_comment = self._soundscape.understands
        if self._has_comment:
            self._links.progress.comments_felt.add()
        else:  # as if nobody had said anything
            self._links.progress.comments_missed.add()
            if not self._has_picture:
                self._soundscape.hear(OPENING)
        self._feel("comment", begun, words.received, self._has_comment)

    def _forget(self) -> None:
        if not self._has_comment:
            return
        self._has_comment = False
        begun = time.monotonic()
        self._soundscape.hear(None if self._has_picture else OPENING)
        self._feel("picture" if self._has_picture else "start", begun)

    def _feel(self, cause: Cause, begun: float, received: float | None = None, understood: bool = True) -> None:
        """Records the current feeling; it is sent once its sound is in the ring, or at once during a pause."""
        perception, casting = self._soundscape.perception, self._soundscape.casting
        feeling = perception.feeling
        music = None if casting is None else plan(feeling, perception.cues, perception.subjects)
        felt = Felt(
            word=feeling.word,
            valence=feeling.valence,
            arousal=feeling.arousal,
            emotions=tuple(float(share) for share in feeling.emotions),
            instruments=() if casting is None else tuple(self._names[index] for index in casting.instruments),
            mode=None if music is None else music.mode,
            tempo=None if music is None else music.tempo,
            cause=cause,
            received=received,
            understood=understood,
            little=perception.little,
            changed_sample=self._ring.written,
            timings={cause: _milliseconds(begun)},
        )
        if self._links.controls.paused:
            self._links.outbox.put(dataclasses.replace(felt, changed_sample=None, why=self._why()))
        else:
            self._felt.append(felt)

    def _why(self) -> tuple[causes.Cause, ...]:
        """The causes of the music as it is now; none while it follows the opening's comment, which is nobody's."""
        return self._soundscape.why if self._has_picture or self._has_comment else ()

    def _make(self, frames: int) -> None:
        begun = time.monotonic()
        chunk = next(self._soundscape.chunks(frames, frames))
        samples = chunk.samples
        if not np.isfinite(samples).all():
            raise FloatingPointError("the bundle's models made sound that is none")
        self._ring.write(samples)
        self._links.progress.chunks_made.add()
        milliseconds = _milliseconds(begun)
        self._measure(len(samples) / self._audio.sample_rate, milliseconds / 1000.0)
        for felt in self._felt:
            felt.timings["chunk"] = milliseconds
            if felt.received is not None:
                felt.timings["comment to sound"] = _milliseconds(felt.received)
        # The causes are found when the sound that they explain is safe in the ring: it waits for nobody's words.
        for felt in self._felt:
            self._links.outbox.put(dataclasses.replace(felt, why=self._why()))
        self._felt.clear()
        self._tell_gaze(chunk)

    def _tell_gaze(self, chunk: AudioChunk) -> None:
        """Says where the music looks from a beat of this chunk on, and when that will be heard."""
        begin, end = (self._audio.seconds(chunk.first_frame + frames) for frames in (0, chunk.frames))
        written = time.monotonic() + self._ring.available / self._audio.sample_rate
        for beat in self._soundscape.score.beats:
            if begin <= beat.start < end and beat.region != self._region:
                self._region = beat.region
                box = None if beat.region is None else beat.region.box
                self._links.outbox.put(Looking(box, written - (end - beat.start)))

    def _measure(self, made: float, worked: float) -> None:
        """Sends the staff a ``MusicState``: after the first chunk, then after every ``_MEASURED`` seconds of sound.

        Args:
            made: seconds of sound in the chunk.
            worked: seconds that it took to make.
        """
        if self._links.progress.chunks_made.value == self._first_chunk:
            self._links.outbox.put(MusicState(self._soundscape.provider, True, _WELL))
            return  # the first chunk takes longer than the others, so it is not counted
        self._made += made
        self._worked += worked
        if self._made < _MEASURED:
            return
        headroom = self._made / self._worked
        self._made = self._worked = 0.0
        enough = headroom > _NARROW
        sentence = f"{_WELL}: {headroom:.1f} seconds of it in one second of work" if enough else _BADLY
        self._links.outbox.put(MusicState(self._soundscape.provider, enough, sentence))


class _Mail:
    """Messages that were received and not yet handled: the newest comment and picture; older ones are dropped."""

    def __init__(self, inbox: Receiver) -> None:
        self._inbox = inbox
        self._words: Hear | Forget | None = None
        self._picture: See | None = None

    def __bool__(self) -> bool:
        return self._words is not None or self._picture is not None

    def collect(self, timeout: float) -> None:
        """Receives all messages that are there; waits at most ``timeout`` seconds for the first."""
        message = self._inbox.get(timeout)
        while message is not None:
            if isinstance(message, See):
                self._picture = message
            elif isinstance(message, Hear | Forget):
                self._words = message
            message = self._inbox.get(0)

    def take(self) -> See | Hear | Forget | None:
        """Removes and returns the next message, a comment before a picture; None if there is none."""
        if self._words is not None:
            words, self._words = self._words, None
            return words
        picture, self._picture = self._picture, None
        return picture


def _milliseconds(since: float) -> float:
    return 1000.0 * (time.monotonic() - since)
