"""Routes messages between the supervisor's processes and keeps those that a restarted process needs again.

Kept are the last artwork, the last feeling, where the music looks and, until it expires, the last comment, all in
memory only.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence

from kiosk.shared.channel import Receiver, Sender, open_channel
from kiosk.shared.counters import Controls
from kiosk.shared.messages import (
    ArtworkSeen,
    Calibrated,
    CameraState,
    Felt,
    Forget,
    Health,
    Hear,
    LiveView,
    Looking,
    MusicState,
    PartName,
    PartState,
    Restart,
    See,
    Shown,
    Sounding,
    SpeakerState,
    Steer,
)

MESSAGES = 8
"""Messages of one kind that may wait in a channel: pictures are large, and old comments are stale."""

State = CameraState | SpeakerState | MusicState


class Routes:
    """Receives the messages of all processes and sends each to the processes that need it.

    Args:
        controls: are set as the staff wants.
        comment_seconds: how long a comment is remembered.
        replace: is called with the name of a process that somebody wants replaced.
    """

    def __init__(self, controls: Controls, comment_seconds: float, replace: Callable[[PartName], None]) -> None:
        self.arrived = threading.Event()
        self._controls = controls
        self._comment_seconds = comment_seconds
        self._replace = replace
        self._to: dict[PartName, Sender] = {}
        self._from: dict[PartName, Receiver] = {}
        self._states: dict[PartName, State] = {}
        self._shown: Shown | None = None
        self._held_back: ArtworkSeen | None = None
        self._comment: Hear | None = None
        self._forget_at = 0.0
        self._felt: Felt | None = None
        self._looking: Looking | None = None
        self._health: Health | None = None

    def connect_sender(self, part: PartName) -> Sender:
        """Opens the channel that a new process writes to; the state of the one before it is dropped."""
        sender, receiver = open_channel(MESSAGES)
        if part in self._from:
            self._from[part].close()
        self._from[part] = receiver
        self._states.pop(part, None)
        receiver.announce(self.arrived)
        return sender

    def connect_receiver(self, part: PartName, now: float) -> Receiver:
        """Opens the channel that a new process reads from, and sends it the messages that were kept for it."""
        sender, receiver = open_channel(MESSAGES)
        if part in self._to:
            self._to[part].close()
        self._to[part] = sender
        if part == "engine":
            if self._shown is not None:
                sender.put(See(self._shown.picture))
            if self._comment is not None:
                sender.put(dataclasses.replace(self._comment, received=now))
        else:
            for news in (self._shown, self._felt, self._looking, self._health):
                if news is not None:
                    sender.put(news)
        return receiver

    def deliver(self, now: float) -> None:
        """Delivers all messages that were received, and drops a comment that has expired."""
        for receiver in list(self._from.values()):
            while (message := receiver.get(0)) is not None:
                self._take(message, now)
        if self._comment is not None and now >= self._forget_at:
            self._comment = None
            self._tell("engine", Forget())

    def state(self, part: PartName) -> State | None:
        """The last state that a process sent; None before it sent one."""
        return self._states.get(part)

    def publish(self, parts: Sequence[PartState]) -> Sounding:
        """Sends the state of all processes to the pages if it has changed.

        Returns:
            what the room hears: silence while there is no speaker process, whatever the last one said.
        """
        state, playing = self._states.get("speaker"), any(part.name == "speaker" and part.running for part in parts)
        sounding: Sounding = state.source if playing and isinstance(state, SpeakerState) else "silence"
        health = Health(tuple(parts), sounding)
        if health != self._health:
            self._health = health
            self._tell("web", health)
        return sounding

    def _take(self, message: object, now: float) -> None:
        match message:
            case ArtworkSeen():
                self._held_back = message
                self._show()
            case Felt():
                self._felt = message
                self._tell("web", message)
            case Looking():
                self._looking = message
                self._tell("web", message)
            case LiveView():
                self._tell("web", message)
            case CameraState():
                self._states["camera"] = message
            case MusicState():
                self._states["engine"] = message
            case SpeakerState():
                self._states["speaker"] = message
            case Hear():
                self._comment, self._forget_at = message, now + self._comment_seconds
                self._tell("engine", message)
            case Steer():
                self._steer(message)
            case Restart():
                self._replace(message.part)
            case Calibrated():
                self._replace("camera")

    def _show(self) -> None:
        if self._held_back is None or self._controls.held:
            return
        picture, self._held_back = self._held_back.picture, None
        self._looking = None  # which was of the work before
        self._shown = Shown(1 if self._shown is None else self._shown.number + 1, picture)
        self._tell("engine", See(picture))
        self._tell("web", self._shown)

    def _steer(self, wish: Steer) -> None:
        if wish.volume is not None:
            self._controls.volume = min(1.0, max(0.0, wish.volume))
        if wish.muted is not None:
            self._controls.muted = wish.muted
        if wish.paused is not None:
            self._controls.paused = wish.paused
        if wish.held is not None:
            self._controls.held = wish.held
            self._show()

    def _tell(self, part: PartName, message: object) -> None:
        if part in self._to:
            self._to[part].put(message)
