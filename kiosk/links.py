"""What each process is given when it starts; the supervisor makes them, ``run_X(settings, links)`` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kiosk.channel import Receiver, Sender
from kiosk.progress import Controls, Progress


@dataclass(frozen=True)
class CameraLinks:
    """For ``run_camera``.

    Attributes:
        outbox: takes ArtworkSeen, LiveView and CameraState.
        progress: it adds to ``frames_captured`` and ``artworks_seen``.
        controls: it ends when ``stopping`` is set.
    """

    outbox: Sender
    progress: Progress
    controls: Controls


@dataclass(frozen=True)
class EngineLinks:
    """For ``run_engine``.

    Attributes:
        inbox: gives See, Hear and Forget; once it is closed the supervisor is gone and the engine ends.
        outbox: takes Felt and EngineState.
        ring: name of the ring in shared memory that it fills.
        progress: it adds to ``chunks_made``, ``pictures_felt`` and ``comments_felt``.
        controls: it ends when ``stopping`` is set.
    """

    inbox: Receiver
    outbox: Sender
    ring: str
    progress: Progress
    controls: Controls


@dataclass(frozen=True)
class SpeakerLinks:
    """For ``run_speaker``.

    Attributes:
        outbox: takes SpeakerState.
        engine_ring: name of the ring that the engine fills.
        played_ring: name of the ring into which everything that is played goes as well.
        bed: WAV file of the verified bundle to play when live sound is late.
        sample_rate: of both rings (Hz).
        progress: it adds to ``samples_played``, ``bed_samples``, ``underruns`` and ``missing_samples``.
        controls: volume, muted and paused; it fades out and ends when ``stopping`` is set.
    """

    outbox: Sender
    engine_ring: str
    played_ring: str
    bed: Path
    sample_rate: int
    progress: Progress
    controls: Controls
