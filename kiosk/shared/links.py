"""What each process is given when it starts; the supervisor makes them, ``run_X(settings, links)`` takes them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from a2m_edge.sound.format import AudioFormat
from kiosk.shared.channel import Receiver, Sender
from kiosk.shared.counters import Controls, Progress
from kiosk.shared.messages import Outline


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
class MusicLinks:
    """For ``run_music``.

    Attributes:
        inbox: gives See, Hear and Forget; once it is closed the supervisor is gone and the process ends.
        outbox: takes Felt, Looking and MusicState.
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
        music_ring: name of the ring that the music process fills.
        played_ring: name of the ring into which everything that is played goes as well.
        bed: WAV file of the verified bundle to play when live sound is late.
        audio: the format of the sound in both rings.
        progress: it adds to ``samples_played``, ``bed_samples``, ``underruns`` and ``missing_samples``.
        controls: volume, muted and paused; it fades out and ends when ``stopping`` is set.
    """

    outbox: Sender
    music_ring: str
    played_ring: str
    bed: Path
    audio: AudioFormat
    progress: Progress
    controls: Controls


@dataclass(frozen=True)
class WebLinks:
    """For ``run_web``.

    Attributes:
        inbox: gives Felt, Shown, Looking, LiveView and Health; once it is closed the supervisor is gone and the server
            ends.
        outbox: takes Hear, Steer, Calibrated and Restart.
        played_ring: name of the ring into which everything goes that is played.
        audio: the format of the sound.
        comment_language: the language that the bundle understands best (BCP 47).
        calibration: the file that keeps the region.
        region: the region that is in use, or None.
        rotate: degrees by which the camera's frames are turned.
        progress: all counters; it adds to ``web_turns``.
        controls: what the staff has set; it ends when ``stopping`` is set.
    """

    inbox: Receiver
    outbox: Sender
    played_ring: str
    audio: AudioFormat
    comment_language: str
    calibration: Path
    region: Outline | None
    rotate: int
    progress: Progress
    controls: Controls


Links = CameraLinks | MusicLinks | SpeakerLinks | WebLinks


def close_handed_over(links: Links) -> None:
    """Closes this process's copies of the channel ends in ``links``, once the process that uses them has started.

    Only then does either side see it when the other is gone.
    """
    for each in fields(links):
        end = getattr(links, each.name)
        if isinstance(end, Sender | Receiver):
            end.close()
