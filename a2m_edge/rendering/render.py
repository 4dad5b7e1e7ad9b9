"""One picture, one comment, or both, rendered to a file: sound, facts, and a picture of the whole."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import MANY_LANGUAGES, ClipDecoder, Manifest
from a2m_edge.errors import OptionError, OutputError, encodable
from a2m_edge.explanation.causes import Cause
from a2m_edge.explanation.words import LANGUAGES, sentence, sentences
from a2m_edge.impression.cues import MIDDLE, Cues
from a2m_edge.impression.feeling import Feeling
from a2m_edge.ledger import claim
from a2m_edge.output import written_aside
from a2m_edge.perception.comments import clean_comment
from a2m_edge.perception.pictures import read_picture
from a2m_edge.perception.understanding import Understood
from a2m_edge.rendering.panel import LONGEST_PANEL, Panel, draw_panel
from a2m_edge.score import regions, stretches
from a2m_edge.sound.loudness import integrated_loudness, normalise_loudness, true_peak
from a2m_edge.sound.mel import log_mel
from a2m_edge.sound.wav import write_wav
from a2m_edge.soundscape import Soundscape
from a2m_edge.version import __version__

SHORTEST, LONGEST = 0.1, 600.0
"""Seconds that a render may last; the longest one still fits into little memory."""

RENDER_CHUNK_SECONDS = 1.486
"""Sound made at once, 128 mel frames of the format 22k-mono. Measured on one core, 10 s: 3.3 s in chunks of 32 frames,
1.7 s in 128; beyond, only the memory grows (231 MB at 128, 564 MB at 1,024). What differs is 2e-7 at most."""

FADE_IN, FADE_OUT = 0.02, 1.5
"""Seconds; a short render fades out in its last tenth."""

LITTLE_TO_SEE = "there is little to see in the picture: the music follows its light and colours"

PITCH_NAMES = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")


@dataclass(frozen=True)
class Request:
    """What is to be rendered.

    Attributes:
        picture: file of the artwork, or None.
        comment: a visitor's words, or None; one of the two is needed.
        seconds: duration, ``SHORTEST`` to ``LONGEST``.
        seed: chooses among the pieces that the same picture and comment allow, at least 0.
    """

    picture: Path | None = field(repr=False)
    comment: str | None
    seconds: float = 30.0
    seed: int = 0

    def check(self) -> None:
        """Refuses what cannot be rendered.

        Raises:
            OptionError: naming the value and the range it may have.
        """
        if self.picture is None and self.comment is None:
            raise OptionError("there is nothing to render: name a picture, give a --comment, or both")
        if not SHORTEST <= self.seconds <= LONGEST:  # false for NaN as well
            raise OptionError(f"--seconds must be from {SHORTEST:g} to {LONGEST:g}, not {self.seconds:g}")
        if self.seed < 0:
            raise OptionError(f"--seed must be 0 or above, not {self.seed}")


@dataclass(frozen=True)
class Render:
    """What came out.

    Attributes:
        samples: float32 [N, C] with N = ``seconds`` x sample rate rounded, at -23 LUFS.
        sample_rate: Hz.
        feeling: what was felt.
        facts: what the JSON file says; ``palette``, ``theme``, ``key``, ``mode``, ``tempo``, ``bars`` and ``notes``
            are None where the bundle's decoder plays no score, and ``why`` is empty.
        panel: what the picture shows.
        notice: a remark for the user, or None.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    feeling: Feeling
    facts: dict[str, Any]
    panel: Panel
    notice: str | None


def render(
    request: Request,
    bundle: Bundle,
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
    models: Soundscape | None = None,
    painting: NDArray[np.uint8] | None = None,
) -> Render:
    """Renders in memory; the same request and bundle give the same samples on the same machine.

    Args:
        request: what is to be rendered.
        bundle: a verified bundle.
        device, threads: as in ``a2m_edge.inference.sessions.open_session``.
        progress: is called with the share that is done, 0 to 1.
        models: a soundscape of the same bundle whose models are used again, for many renders; ``device`` and
            ``threads`` are then its own.
        painting: what ``read_picture`` gave for the request's picture, where the caller has read it already.

    Raises:
        OptionError, PictureError, CommentError: the request cannot be rendered.
        BundleError, DeviceError, MissingExtraError: the bundle's models cannot be used here.
    """
    request.check()
    comment = None if request.comment is None else clean_comment(request.comment)
    # Read before the models are loaded: a large picture needs its memory only for a moment.
    notices: list[str] = []
    if painting is None and request.picture is not None:
        painting = read_picture(request.picture, notices.append)
    if models is None:
        soundscape = Soundscape(bundle, seed=request.seed, device=device, threads=threads)
    else:
        soundscape = models.again(request.seed)
    if painting is not None:
        soundscape.see(painting)
    if comment is not None:
        soundscape.hear(comment)
    audio = bundle.manifest.audio
    samples = _play(soundscape, round(request.seconds * audio.sample_rate), progress)
    _fade(samples, audio.sample_rate)
    samples = normalise_loudness(samples, audio.sample_rate)
    understood = None if comment is None else soundscape.understood(comment)
    facts = _facts(request, soundscape, samples)
    if understood is not None:
        facts["comment"] = understood.heard if understood.cut else comment
        facts["comment_understood"] = bool(understood.heard)
    shown = samples[: math.ceil(LONGEST_PANEL * audio.sample_rate)]
    panel = Panel(
        title=_title(request.picture),
        painting=painting,
        comment=comment,
        feeling=soundscape.perception.feeling,
        instruments=() if facts["palette"] is None else tuple(facts["palette"]["instruments"].values()),
        beats=None if facts["palette"] is None else soundscape.score.beats,
        mels=np.stack([log_mel(channel[:, None], audio) for channel in shown.T]),
        audio=audio,
        seconds=request.seconds,
        facts=(*_remarks(bundle.manifest, facts), f"{bundle.manifest.name} {bundle.manifest.version}"),
        why=sentences(soundscape.why),
    )
    if facts["little_to_see"]:
        notices.append(LITTLE_TO_SEE)
    if understood is not None and understood.heard != comment:
        notices.append(_partly(understood, painting is not None, bundle.manifest.text.language))
    return Render(samples, audio.sample_rate, soundscape.perception.feeling, facts, panel, "; ".join(notices) or None)


def write_render(result: Render, sound: Path | BinaryIO, picture: Path | None = None) -> None:
    """Writes the WAV file, a JSON file of the same name beside it, and the picture: all of them or none.

    Args:
        result: from ``render``.
        sound: a path, or a binary stream, which gets no JSON file.
        picture: a PNG file to write, or None.

    Raises:
        OutputError: something cannot be written; nothing is left behind.
    """
    with contextlib.ExitStack() as stack:
        files: list[BinaryIO] = []

        def file(path: Path) -> BinaryIO:
            files.append(stack.enter_context(written_aside(path)))
            return files[-1]

        if picture is not None:
            file(picture).write(_png(draw_panel(result.panel)))
        if isinstance(sound, Path):
            file(facts_path(sound)).write(_json(result.facts))
            write_wav(file(sound), result.samples, result.sample_rate)
        else:
            write_wav(sound, result.samples, result.sample_rate)
        # All of them are safely on the disk before the first one gets its name.
        for stream in files:
            stream.flush()
            os.fsync(stream.fileno())


def facts_path(sound: Path) -> Path:
    """Where the JSON file of a WAV file stands."""
    return sound.with_suffix(".json")


def check_outputs(sound: Path | None, picture: Path | None, source: Path | None, force: bool = False) -> None:
    """Refuses outputs that could not or may not be written, before any work is done.

    Args:
        sound: the WAV file, or None for a stream.
        picture: the PNG file, or None.
        source: the picture that is rendered and must stay, or None.
        force: whether files that this program did not write may be replaced.

    Raises:
        OptionError: a name has the wrong ending, or a file is the source.
        OutputError: a folder is missing or may not be written, or a file is there that this program did not write.
    """
    outputs: list[Path] = []
    for path, ending in ((sound, ".wav"), (picture, ".png")):
        if path is None:
            continue
        if path.suffix.lower() != ending:
            raise OptionError(f"{path} must have a name that ends in {ending}")
        outputs += [path, facts_path(path)] if ending == ".wav" else [path]
    for path in outputs:
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder; name a file in it")
        folder = path.resolve().parent
        if not folder.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {path.parent}; create it first")
        if not os.access(folder, os.W_OK):
            raise OutputError(f"cannot write {path}: the folder {path.parent} may not be written; choose another")
    claim(*outputs, force=force, sources=[source])


def _play(soundscape: Soundscape, length: int, progress: Callable[[float], None] | None) -> NDArray[np.float32]:
    audio = soundscape.bundle.manifest.audio
    samples = np.empty((length, audio.channels), np.float32)
    done = 0
    frames = math.ceil(length / audio.hop)
    for chunk in soundscape.chunks(frames, max(1, audio.frames(RENDER_CHUNK_SECONDS))):
        piece = chunk.samples[: length - done]
        samples[done : done + len(piece)] = piece
        done += len(piece)
        if progress is not None:
            progress(done / length)
    return samples


def _fade(samples: NDArray[np.float32], sample_rate: int) -> None:
    """Raised-cosine fades at both ends, in place."""
    rise = min(round(FADE_IN * sample_rate), len(samples) // 10)
    fall = min(round(FADE_OUT * sample_rate), len(samples) // 10)
    samples[:rise] *= _rising(rise)[:, None]
    samples[len(samples) - fall :] *= _rising(fall)[::-1, None]


def _rising(length: int) -> NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(1, length))).astype(np.float32)


def _partly(understood: Understood, with_picture: bool, language: str) -> str:
    """What is said of a comment that was not heard as it stands."""
    if not understood.heard:
        instead = "the music follows the picture alone" if with_picture else "the music is neutral"
        known = (
            "many languages, and it is in none of them" if language == MANY_LANGUAGES else f"the language {language!r}"
        )
        return f"the comment was not understood, so {instead}: this bundle knows {known}"
    if understood.cut:
        length = f"{len(understood.heard):,} characters"
        return f"the comment is longer than the text encoder hears; it heard the first {length}"
    return f"the text encoder does not know all of the comment; it heard: {understood.heard}"


def _facts(request: Request, soundscape: Soundscape, samples: NDArray[np.float32]) -> dict[str, Any]:
    manifest: Manifest = soundscape.bundle.manifest
    feeling = soundscape.perception.feeling
    rate = manifest.audio.sample_rate
    return {
        "program": f"a2m-edge {__version__}",
        "bundle": {
            "name": manifest.name,
            "version": manifest.version,
            "hash": soundscape.bundle.hash,
        },
        "picture": None if request.picture is None else encodable(request.picture.name),
        "little_to_see": None if request.picture is None else soundscape.perception.little,
        "comment": None,
        "comment_understood": None,
        "seed": request.seed,
        "seconds": len(samples) / rate,
        "sample_rate": rate,
        "channels": manifest.audio.channels,
        "feeling": {
            "word": feeling.word,
            "valence": round(feeling.valence, 4),
            "arousal": round(feeling.arousal, 4),
            "emotions": {
                word: round(float(probability), 4)
                for word, probability in zip(manifest.emotions, feeling.emotions, strict=True)
            },
        },
        "cues": _cues(soundscape.perception.cues),
        "subjects": {name: round(sure, 4) for name, sure in soundscape.perception.subjects.shown.items()},
        "style": soundscape.perception.subjects.style or None,
        "period": soundscape.perception.subjects.period or None,
        "gaze": _gaze(soundscape, len(samples) / rate),
        **_music(soundscape, request.seconds),
        "why": [_told(cause) for cause in soundscape.why],
        "levels": {
            "loudness_lufs": _level(integrated_loudness(samples, rate)),
            "true_peak_dbfs": _level(true_peak(samples, rate)),
        },
    }


def _cues(cues: Cues) -> dict[str, float] | None:
    """How the picture is painted, as ranks among paintings; None without a picture, or where the bundle knows none."""
    return None if cues == MIDDLE else {name: round(rank, 3) for name, rank in dataclasses.asdict(cues).items()}


def _told(cause: Cause) -> dict[str, Any]:
    """A cause with its effects, and the sentence that tells them in every language."""
    return {
        "cause": {"kind": cause.kind, "what": list(cause.what)},
        "effects": [
            {
                "means": effect.means,
                "direction": effect.direction,
                "units": round(effect.units, 2),
                **({"names": list(effect.names)} if effect.names else {}),
            }
            for effect in cause.effects
        ],
        "strength": round(cause.strength, 2),
        "text": {language: sentence(cause, language) for language in LANGUAGES},
    }


def _gaze(soundscape: Soundscape, seconds: float) -> dict[str, Any] | None:
    """Where the music looks and when; None where it looks at no region, for example for a comment alone."""
    times = stretches(soundscape.score.beats, seconds)
    places = regions(times)
    if not places:
        return None
    seen = [next(look for look in soundscape.perception.gaze.looks if look.region == place) for place in places]
    return {
        "regions": [
            {
                "region": list(look.region.box),
                "feeling": look.feeling.word,
                "valence": round(look.feeling.valence, 4),
                "arousal": round(look.feeling.arousal, 4),
            }
            for look in seen
        ],
        "stretches": [
            {
                "start": round(each.start, 3),
                "end": round(each.end, 3),
                "region": None if each.region is None else places.index(each.region),
            }
            for each in times
        ],
    }


def _music(soundscape: Soundscape, seconds: float) -> dict[str, Any]:
    """Who plays what; None under every name where the bundle plays no score."""
    manifest, casting, theme = soundscape.bundle.manifest, soundscape.casting, soundscape.theme
    if casting is None or theme is None:
        return dict.fromkeys(("palette", "theme", "key", "mode", "tempo", "bars", "notes"))
    beats = [beat for beat in soundscape.score.beats if beat.start < seconds]
    return {
        "palette": {
            "instruments": {
                role: manifest.instruments[index]
                for role, index in zip(manifest.roles, casting.instruments, strict=True)
            },
            "room": round(casting.room, 4),
        },
        "theme": {
            "signature": theme.signature,
            "beats_in_bar": theme.beats_in_bar,
            "motifs": [list(motif) for motif in theme.motifs],
        },
        "key": f"{PITCH_NAMES[theme.tonic]} {beats[0].mode}",
        "mode": beats[0].mode,
        "tempo": round(float(np.median([beat.tempo for beat in beats])), 2),
        "bars": len({beat.bar for beat in beats}),
        "notes": sum(len(beat.notes) for beat in beats),
    }


def _remarks(manifest: Manifest, facts: dict[str, Any]) -> tuple[str, ...]:
    """What the foot of the picture says about the music."""
    little = ("little to see",) if facts["little_to_see"] else ()
    missed = ("comment not understood",) if facts["comment_understood"] is False else ()
    if isinstance(manifest.decoder, ClipDecoder):
        return (f"clips of {manifest.audio.seconds(manifest.decoder.frames):.1f} s, without a score", *little, *missed)
    return (facts["key"], f"{facts['tempo']:.0f} beats a minute", f"seed {facts['seed']}", *little, *missed)


def _level(decibels: float) -> float | None:
    """JSON knows no infinity: silence has no level."""
    return round(decibels, 2) if math.isfinite(decibels) else None


def _json(facts: dict[str, Any]) -> bytes:
    return (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()


def _png(rgb: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", rgb[..., ::-1])
    if not done:
        raise OutputError("the picture could not be encoded as PNG")
    return data.tobytes()


def _title(picture: Path | None) -> str:
    """A file's name as a title: ``calm_sea-2.jpg`` becomes ``Calm sea 2``."""
    if picture is None:
        return "Soundscape"
    words = " ".join(encodable(picture.stem).replace("_", " ").replace("-", " ").split())
    return words[:1].upper() + words[1:]
