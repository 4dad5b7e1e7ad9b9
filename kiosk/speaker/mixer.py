"""Mixes what is played: live sound, the bed, or a fade between the two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kiosk.shared.counters import Controls, Progress
from kiosk.shared.messages import Sounding
from kiosk.shared.ring import AudioRing
from kiosk.shared.settings import SpeakerSettings
from kiosk.speaker.bed import Bed

FADE_SECONDS = 0.5
"""Length of the fades at the first sound, around a pause and at the end."""

SMOOTHING_SECONDS = 0.01
"""Time in which the volume can go from 0 to 1."""

PATIENCE_SECONDS = 1.0
"""How long the first sound waits for live sound before the bed begins."""

_BLOCK_SECONDS = 0.01


class Mixer:
    """Produces the exhibit's sound without interruption, whatever the music process does.

    The mixer switches from live sound to the bed while a whole crossfade of live sound is still left, so live sound
    always fades out and never stops abruptly. It switches back when ``priming`` seconds of live sound are ready. The
    stream of a new music process is never joined to that of an old one: the rest of the old one fades out, the bed
    plays, and the new one fades in.

    Nothing here blocks or logs, since the sound card's callback calls it.

    Args:
        live: the ring that the music process fills; the mixer is its only reader.
        played: a broadcast ring that gets a copy of everything played; the mixer is its only writer.
        bed: the bundle's loop.
        sample_rate: of all three (Hz).
        settings: ``priming`` and ``crossfade`` are used.
        progress: the mixer adds to the speaker's counters.
        controls: the mixer follows volume, muted and paused.
    """

    def __init__(
        self,
        live: AudioRing,
        played: AudioRing,
        bed: Bed,
        sample_rate: int,
        settings: SpeakerSettings,
        progress: Progress,
        controls: Controls,
    ) -> None:
        self._live, self._played, self._bed = live, played, bed
        self._progress, self._controls = progress, controls
        self._block = max(1, round(_BLOCK_SECONDS * sample_rate))
        self._crossfade = max(1, round(settings.crossfade * sample_rate))
        self._priming = max(round(settings.priming * sample_rate), self._crossfade + self._block)
        self._share = _Fade(self._crossfade)  # of live sound, the rest is the bed's
        self._presence = _Fade(round(FADE_SECONDS * sample_rate))
        self._volume = _Volume(self._wanted_volume(), 1.0 / (SMOOTHING_SECONDS * sample_rate))
        # A speaker that joins a kiosk which already plays has nothing to wait for.
        self._patience = 0 if live.written else round(PATIENCE_SECONDS * sample_rate)
        self._is_live = self._was_live = False
        self._ending = False

    @property
    def sounding(self) -> Sounding:
        """What is played now."""
        if self._presence.position == 0 or self._volume.value == 0.0:
            return "silence"
        return "live" if self._is_live else "bed"

    @property
    def ended(self) -> bool:
        """Whether all sound has faded out after ``fade_out``."""
        return self._ending and self._presence.position == 0

    def fade_out(self) -> None:
        """Begins the last fade: when it is over, only silence is returned."""
        self._ending = True

    def render(self, count: int) -> NDArray[np.float32]:
        """Returns the next samples, float32 [count, C] in [-1, 1], and also writes them to ``played``."""
        samples = np.empty((count, self._live.channels), np.float32)
        for begin in range(0, count, self._block):
            end = min(begin + self._block, count)
            samples[begin:end] = self._next(end - begin)
        self._played.write(samples)
        self._progress.samples_played.add(count)
        return samples

    def _next(self, count: int) -> NDArray[np.float32]:
        """The next ``count`` samples, float32 [count, C]; ``count`` is at most a block."""
        volume = self._volume.go(self._wanted_volume(), count)
        waiting = self._waits(count)
        resting = self._ending or self._controls.paused or waiting
        if resting and self._presence.position == 0:
            return np.zeros((count, self._live.channels), np.float32)
        self._choose(count)
        presence = self._presence.go(not resting, count)
        samples = self._mix(count)
        samples *= volume[:, None]
        if presence.min() < 1.0:
            samples *= np.square(np.sin(presence * np.float32(np.pi / 2)))[:, None]
        return samples.clip(-1.0, 1.0)

    def _waits(self, count: int) -> bool:
        """Whether the first sound should still wait for live sound instead of starting with the bed."""
        if self._patience > 0:
            self._patience = 0 if self._is_primed() else max(0, self._patience - count)
        return self._patience > 0

    def _choose(self, count: int) -> None:
        """Chooses between live sound and the bed for the next ``count`` samples.

        Live sound stays while enough of it is left for them and a fade to the bed, and returns once primed.
        """
        if self._is_live:
            way_back = min(self._share.position + count, self._crossfade)
            if self._live.unbroken < count + way_back:
                self._is_live = False
                self._progress.underruns.add()
        else:
            if self._share.position == 0:  # live sound is inaudible: skip what an old process left
                self._live.skip(self._live.began - self._live.taken)
            if self._is_primed():
                self._is_live = self._was_live = True
        if self._presence.position == 0:  # nobody hears a fade
            self._share.position = self._crossfade if self._is_live else 0

    def _is_primed(self) -> bool:
        return self._live.unbroken >= self._priming

    def _mix(self, count: int) -> NDArray[np.float32]:
        share = self._share.go(self._is_live, count)
        heard = int(np.count_nonzero(share))  # the share is 0 only at the end of the block, or throughout
        live = self._live.read(heard)
        from_bed = int(np.count_nonzero(share < 1.0))
        if from_bed == 0:
            return live
        self._progress.bed_samples.add(from_bed)
        if self._was_live:
            self._progress.missing_samples.add(count - heard)
        # Equal power, since the two are different music; and no corner at either end of the fade.
        angle = np.square(np.sin(share * np.float32(np.pi / 2))) * np.float32(np.pi / 2)
        samples = np.cos(angle)[:, None] * self._bed.play(count)
        samples[:heard] += np.sin(angle[:heard])[:, None] * live
        return np.asarray(samples, np.float32)

    def _wanted_volume(self) -> float:
        return 0.0 if self._controls.muted else min(1.0, max(0.0, self._controls.volume))


class _Fade:
    """A share that goes from 0 to 1 in ``length`` samples, or back; counted in whole samples, so that it ends exactly.

    Attributes:
        position: the last share times ``length``.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.position = 0

    def go(self, up: bool, count: int) -> NDArray[np.float32]:
        """The next shares, rising towards 1 or falling towards 0: float32 [count]."""
        if self.position == (self.length if up else 0):
            return np.full(count, up, np.float32)
        steps = np.arange(1, count + 1) if up else -np.arange(1, count + 1)
        positions = np.clip(self.position + steps, 0, self.length)
        self.position = int(positions[-1])
        return np.asarray(positions / self.length, np.float32)


class _Volume:
    """A factor that moves linearly towards a target.

    Args:
        value: its first value.
        step: largest change from one sample to the next.
    """

    def __init__(self, value: float, step: float) -> None:
        self.value = value
        self._step = step

    def go(self, target: float, count: int) -> NDArray[np.float32]:
        """The next factors, moving towards the target: float32 [count]."""
        if self.value == target:
            return np.full(count, target, np.float32)
        reach = np.arange(1, count + 1) * self._step
        factors = np.clip(target, self.value - reach, self.value + reach)
        self.value = float(factors[-1])
        return np.asarray(factors, np.float32)
