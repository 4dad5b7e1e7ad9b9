"""Every option of the kiosk. ``kiosk.config`` reads them from ``kiosk.toml``; the processes are handed their section.

These are plain data classes, so that a process can take its section without loading the library that reads it.
Defaults, ranges and the texts below are what ``deploy/kiosk.toml`` shows. What may hold a secret is left out of
``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Interval, MinLen, MultipleOf

Share = Annotated[float, Interval(ge=0.0, le=1.0)]
Positive = Annotated[float, Interval(gt=0.0, le=1e6)]
Count = Annotated[int, Interval(ge=1, le=1_000_000)]
Point = tuple[Share, Share]
Region = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class CameraSettings:
    """The camera, and what counts as an artwork.

    Attributes:
        source: Number of a camera, path of a device, RTSP or HTTP (MJPEG) address, video file, or folder of pictures.
            In a user name or password write / as %2F, # as %23, ? as %3F, @ as %40, : as %3A and % as %25.
        width: Pixels that the camera is asked for.
        height: Pixels that the camera is asked for.
        rotate: Degrees by which each frame is turned clockwise, 0, 90, 180 or 270, for a camera that hangs on its side.
        rate: Frames a second that are looked at.
        settle: Seconds after opening in which the camera finds its exposure; those frames are not used.
        picture_seconds: Seconds that each picture of a folder is shown.
        search: Whether the artwork is searched for; otherwise the region is used, or the centre.
        region: Corners of the artwork in the turned frame when none is found, clockwise from its upper left one, each
            [x, y] from 0 to 1.
        calibration: File in which "a2m-edge kiosk calibrate" keeps the region; it wins over the option "region".
        smallest: Share of the frame that an artwork fills at least.
        sharpness: Share of a picture's contrast that its steepest edges cross within one of 256 pixels; 0.2 is sharp.
        stillness: Seconds that the view must be still before a picture is taken from it.
        difference: Share of its parts in which a new work must differ from the last one.
        view_rate: Live views a second for the staff page.
    """

    source: Annotated[str, MinLen(1)] = field(default="0", repr=False)
    width: Annotated[int, Interval(ge=160, le=7680)] = 1280
    height: Annotated[int, Interval(ge=120, le=4320)] = 720
    rotate: Annotated[int, Interval(ge=0, le=270), MultipleOf(90)] = 0
    rate: Annotated[float, Interval(ge=1.0, le=60.0)] = 10.0
    settle: Annotated[float, Interval(ge=0.0, le=60.0)] = 1.5
    picture_seconds: Positive = 60.0
    search: bool = True
    region: Region | None = None
    calibration: Path = Path("calibration.toml")
    smallest: Share = 0.05
    sharpness: Share = 0.1
    stillness: Annotated[float, Interval(ge=0.1, le=10.0)] = 1.0
    difference: Share = 0.75
    view_rate: Annotated[float, Interval(ge=0.2, le=15.0)] = 4.0


@dataclass(frozen=True)
class MusicSettings:
    """The music.

    Attributes:
        bundle: Folder of a bundle; the built-in one when left out.
        device: "auto", "cpu", "cuda" or "tensorrt"; auto takes a GPU when there is one.
        threads: CPU threads; those that suit this machine when left out.
        seed: Another seed gives other pieces of the same feelings.
        lead: Seconds of sound that are made ahead: more survives busier machines, less answers sooner.
        same_work: Distance of two pictures below which they show the same work, 1 - cosine of their embeddings.
        comment_seconds: Seconds after which a comment has had its time and the artwork speaks alone again.
    """

    bundle: Path | None = None
    device: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    threads: Annotated[int, Interval(ge=1, le=64)] | None = None
    seed: Annotated[int, Ge(0)] = 0
    lead: Annotated[float, Interval(ge=0.2, le=10.0)] = 1.0
    # The built-in bundle in 150 synthetic rooms (tools/measure_picture_feeling.py): of 100 second views of a work, in
    # other light and with another outline, 91 are nearer than 0.45; of 1,000 pairs of different paintings one is.
    same_work: Annotated[float, Interval(ge=0.0, le=2.0)] = 0.45
    comment_seconds: Positive = 180.0


@dataclass(frozen=True)
class SpeakerSettings:
    """The loudspeaker.

    Attributes:
        device: Name of the sound device or a part of it, "default", or "none" for an exhibit that only the page plays.
        volume: Loudness at the start, 0 to 1.
        priming: Seconds of sound that must be ready before the first of it is played.
        crossfade: Seconds in which live sound and the bed fade into each other.
        latency: Seconds of sound that the sound system is asked to keep.
    """

    device: Annotated[str, MinLen(1)] = "default"
    volume: Share = 0.8
    priming: Annotated[float, Interval(ge=0.0, le=10.0)] = 0.4
    crossfade: Annotated[float, Interval(ge=0.005, le=0.05)] = 0.05
    latency: Annotated[float, Interval(ge=0.01, le=1.0)] = 0.1


@dataclass(frozen=True)
class WebSettings:
    """The pages.

    Attributes:
        host: Address to listen on; 127.0.0.1 shows the pages on this computer only.
        port: Port to listen on.
        token: Pairing token that phones bring from the QR code, 16 characters at least; needed for any other host.
        names: Further host names or addresses under which visitors reach the pages, for example "exhibit.lan"; behind a
            reverse proxy the whole of it, "https://museum.example". The first one is in the QR code.
        prefix: Path under which a reverse proxy shows the pages, for example "/art", whether it takes it off or not.
        pin_hash: Hash of the staff's PIN, made by "a2m-edge kiosk pin"; without it there is no staff page.
        certificate: PEM file of a certificate for https; the pages are plain http without it.
        key: PEM file of the certificate's private key.
        language: Language in which the page greets who asks for none of its languages: "en", "pt-BR", "zh-Hant" and so
            on.
        screen_languages: Languages in which the exhibit's own screen greets, one after the other until somebody uses
            it, for example ["en", "ar", "ja"]; the one that its browser asks for when none is named.
        screen_seconds: Seconds that each of them is shown.
        speech: Whether visitors may also speak what they feel; needs a2m-edge[speech], some 300 MB of memory and, for
            phones, a certificate. They see what was understood before it is sent, and nothing of it is kept.
        comment_burst: Comments that one visitor may send at once.
        comment_pause: Seconds in which a visitor earns another comment.
        room_rate: Comments a second that the whole room may send in the long run.
        room_burst: Comments that the whole room may send at once.
        listeners: Phones and screens that may be connected at once.
    """

    host: Annotated[str, MinLen(1)] = "127.0.0.1"
    port: Annotated[int, Interval(ge=0, le=65535)] = 8000
    token: Annotated[str, MinLen(16)] | None = field(default=None, repr=False)
    names: tuple[str, ...] = ()
    prefix: str = ""
    pin_hash: str | None = field(default=None, repr=False)
    certificate: Path | None = None
    key: Path | None = None
    language: str = "en"
    screen_languages: tuple[str, ...] = ()
    screen_seconds: Annotated[float, Interval(ge=5.0, le=3600.0)] = 20.0
    speech: bool = False
    comment_burst: Count = 3
    comment_pause: Positive = 10.0
    room_rate: Positive = 2.0
    room_burst: Count = 10
    listeners: Count = 250


@dataclass(frozen=True)
class WatchSettings:
    """How the supervisor heals.

    Attributes:
        camera_patience: Seconds without a frame after which the camera process is replaced.
        engine_patience: Seconds without a chunk of sound after which the engine process is replaced.
        speaker_patience: Seconds without a played sample after which the speaker process is replaced.
        web_patience: Seconds without a turn of the web server's event loop after which its process is replaced.
        start_patience: Seconds that a process has for its first frame, chunk or sample.
        restarts: Most restarts of one process within "window"; after them the pauses grow.
        window: Seconds in which restarts are counted.
        longest_pause: Seconds of the longest pause between two attempts, which is never below "window".
    """

    camera_patience: Positive = 20.0
    engine_patience: Positive = 8.0
    speaker_patience: Positive = 3.0
    web_patience: Positive = 10.0
    start_patience: Positive = 30.0
    restarts: Count = 5
    window: Positive = 60.0
    longest_pause: Positive = 300.0
