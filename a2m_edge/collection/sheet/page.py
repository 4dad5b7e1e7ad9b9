"""A contact sheet: one page that opens from disk and shows, for each work, its picture, what is felt, and its sound.

The page asks for nothing but the thumbnails and sounds beside it. Its style and script are within it, and its own
policy lets nothing else in. Without JavaScript it still shows every work, and links to every sound.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from a2m_edge.collection.dwellings import Dwelling
from a2m_edge.collection.storage.folders import LocalStorage
from a2m_edge.impression.feeling import EMOTIONS, NEGATIVE_EMOTIONS, POSITIVE_EMOTIONS
from a2m_edge.output import written_aside
from a2m_edge.perception.picture_formats import HeaderError, read_header

NAME = "contact_sheet.html"
FOLDER = "thumbnails"

THUMBNAIL_SIDE = 480
"""Pixels of the long side of a thumbnail; the page shows it at half of that and fits screens of twice the density."""

_QUALITY = 84
_POLICY = (
    "default-src 'none'; img-src 'self' file:; media-src 'self' file:; style-src {style}; script-src {script}; "
    "base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Entry:
    """A work that was rendered.

    Attributes:
        id: of the item: the stem of its thumbnail.
        title: of the work.
        sound: path of the sound file below the output, with slashes.
        seconds: duration of the sound.
        word: what is felt, one of ``EMOTIONS``.
        valence, arousal: in [-1, 1].
        emotions: probabilities by word.
        instruments: by role, lowest first; empty where no score was played.
        music: remarks such as the key and the tempo.
        why: the causes of the music in sentences, strongest first.
        byline: who made the work and when, or nothing.
        comment: words about it that were heard, or None.
        credit: what must be said with the picture, or nothing.
        gaze: where in the picture the music dwells, and when.
    """

    id: str
    title: str
    sound: str
    seconds: float
    word: str
    valence: float
    arousal: float
    emotions: dict[str, float]
    instruments: dict[str, str] = field(default_factory=dict)
    music: str = ""
    why: tuple[str, ...] = ()
    byline: str = ""
    comment: str | None = None
    credit: str = ""
    gaze: tuple[Dwelling, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A work that was not rendered, and why."""

    title: str
    reason: str


def thumbnail_name(item: str) -> str:
    """The thumbnail of an item, as a path below the place of the run."""
    return f"{FOLDER}/{item}.jpg"


def thumbnail_path(output: Path, item: str) -> Path:
    """Where the thumbnail of an item lies."""
    return output / thumbnail_name(item)


def encode_thumbnail(picture: NDArray[np.uint8]) -> bytes:
    """The thumbnail of a picture, RGB uint8 [H, W, 3], as JPEG; it is never enlarged."""
    height, width = picture.shape[:2]
    scale = min(1.0, THUMBNAIL_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = picture if scale == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError(f"a picture of {width} x {height} pixels could not be encoded as JPEG")
    return data.tobytes()


def write_thumbnail(output: Path, item: str, picture: NDArray[np.uint8]) -> Path:
    """Writes the thumbnail of a picture, RGB uint8 [H, W, 3], whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    path = thumbnail_path(output, item)
    LocalStorage(output).write(thumbnail_name(item), encode_thumbnail(picture))
    return path


def write_contact_sheet(
    output: Path, entries: Sequence[Entry], failures: Sequence[Failure] = (), *, title: str, made: str = ""
) -> Path:
    """Writes the page beside the sounds and thumbnails; a work without a thumbnail is shown by its comment.

    Args:
        output: folder of the run.
        entries: the works in the order in which they are shown.
        failures: works that are listed at the end, with their reasons.
        title: of the page.
        made: how it was made, such as program and bundle.

    Returns:
        The page's file.

    Raises:
        OutputError: it cannot be written.
    """
    style, script = _part("sheet.css"), _part("sheet.js")
    policy = _POLICY.format(style=_source(style), script=_source(script))
    path = output / NAME
    with written_aside(path) as stream:

        def write(text: str) -> None:
            stream.write(text.encode("utf-8", "replace"))

        write(
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="dark">\n<meta name="referrer" content="no-referrer">\n'
            f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        )
        write(_head(entries, failures, title, made))
        write('<main>\n<ul class="works" aria-label="Works">\n')
        for entry in entries:
            write(_card(entry, _thumbnail_size(output, entry.id)))
        write('</ul>\n<p class="none" id="none" hidden>No work is like that.</p>\n')
        write(_failed(failures))
        write(f"</main>\n{_part('player.html')}<script>{script}</script>\n</body>\n</html>\n")
    return path


def _part(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """How a content security policy names an inline style or script (CSP 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _head(entries: Sequence[Entry], failures: Sequence[Failure], title: str, made: str) -> str:
    counts = Counter(entry.word for entry in entries)
    chips = [f'<button type="button" aria-pressed="true" data-feeling="">All <span>{len(entries):,}</span></button>']
    chips += [
        f'<button type="button" aria-pressed="false" class="{_tone(word)}" data-feeling="{escape(word)}">'
        f"{escape(word)} <span>{counts[word]:,}</span></button>"
        for word in sorted(counts, key=lambda word: (*EMOTIONS, word).index(word))
    ]
    dots = "".join(
        f'<circle class="dot {_tone(entry.word)}" data-work="{_anchor(entry)}" '
        f'cx="{entry.valence:.3f}" cy="{-entry.arousal:.3f}" r="0.036"><title>{escape(entry.title)}</title></circle>'
        for entry in entries
    )
    failed = f' · <a href="#failed">{len(failures):,} could not be rendered</a>' if failures else ""
    seconds = sum(entry.seconds for entry in entries)
    works = "1 work" if len(entries) == 1 else f"{len(entries):,} works"
    return (
        f'<header class="head">\n<div class="told">\n<h1 dir="auto">{escape(title)}</h1>\n'
        f'<p class="sum">{works} · {_duration(seconds)} of sound{failed}</p>\n'
        f'<p class="made">{escape(made)}</p>\n'
        f'<div class="filters" role="group" aria-label="Show by feeling" hidden>{"".join(chips)}</div>\n'
        '<div class="find" hidden><label class="unseen" for="search">Find a work, an artist or an instrument</label>'
        '<input type="search" id="search" placeholder="Find a work, an artist, an instrument" autocomplete="off">'
        '<p id="count" role="status"></p></div>\n</div>\n'
        '<div class="map" aria-hidden="true"><svg viewBox="-1.2 -1.2 2.4 2.4">'
        '<symbol id="plane" viewBox="-1.2 -1.2 2.4 2.4" overflow="visible">'
        '<path class="axes" d="M-1.1 0H1.1M0 -1.1V1.1"/>'
        '<circle class="reach" r="1"/></symbol><use href="#plane" x="-1.2" y="-1.2" width="2.4" height="2.4"/>'
        f'<g>{dots}</g></svg><span class="end top">excited</span><span class="end bottom">calm</span>'
        '<span class="end left">unpleasant</span><span class="end right">pleasant</span></div>\n</header>\n'
    )


def _card(entry: Entry, size: tuple[int, int] | None) -> str:
    """One work; ``size`` is its thumbnail's, in pixels."""
    title, tone = escape(entry.title), _tone(entry.word)
    if size is not None:
        address = quote(f"{FOLDER}/{entry.id}.jpg")
        hung = (
            f'<img src="{address}" width="{size[0]}" height="{size[1]}" alt="{title}" loading="lazy" decoding="async">'
            f"{_shades(entry)}"
        )
    else:
        hung = f'<p dir="auto">“{escape(entry.comment)}”</p>' if entry.comment else "<p>no picture</p>"
    by = f'<p class="by" dir="auto">{escape(entry.byline)}</p>' if entry.byline else ""
    said = f'<p class="said" dir="auto">“{escape(entry.comment)}”</p>' if entry.comment and size is not None else ""
    players = "".join(
        f'<li class="{escape(role)}"><span class="unseen">{escape(role)}: </span>{escape(name)}</li>'
        for role, name in entry.instruments.items()
    )
    palette = f'<ul class="palette" aria-label="Who plays">{players}</ul>' if players else ""
    causes = "".join(f"<li>{escape(each)}</li>" for each in entry.why)
    why = (
        f'<details class="why"><summary>Why it sounds like this</summary><ul>{causes}</ul></details>' if causes else ""
    )
    credit = f'<p class="credit" dir="auto">{escape(entry.credit)}</p>' if entry.credit else ""
    return (
        f'<li class="work {tone}" id="{_anchor(entry)}" data-feeling="{escape(entry.word)}" '
        f'data-seconds="{entry.seconds:.3f}">'
        f'<figure class="hung">{hung}{_spectrum(entry)}</figure>'
        f'<div class="label"><h2 dir="auto">{title}</h2>{by}{said}'
        f'<p class="word">{escape(entry.word)}</p>'
        '<svg class="small" viewBox="-1.2 -1.2 2.4 2.4" role="img" '
        f'aria-label="valence {_signed(entry.valence)}, arousal {_signed(entry.arousal)}">'
        '<use href="#plane" x="-1.2" y="-1.2" width="2.4" height="2.4"/>'
        f'<circle class="dot" cx="{entry.valence:.3f}" cy="{-entry.arousal:.3f}" r="0.17"/></svg>'
        f'<p class="music">{escape(entry.music)}</p>{palette}'
        f'<div class="listen"><a class="play" href="{quote(entry.sound, safe="/")}" aria-label="Play {title}">'
        '<svg viewBox="0 0 24 24" aria-hidden="true"><path class="go" d="M9 6.2v11.6l9.2-5.8z"/>'
        '<path class="hold" d="M9.5 7v10M14.5 7v10"/></svg></a>'
        f'<div class="line" aria-hidden="true"><i></i></div><span class="time">{_clock(entry.seconds)}</span></div>'
        f"{why}{credit}</div></li>\n"
    )


def _shades(entry: Entry) -> str:
    """Two shades that the script lays around the place at which the music looks, and when it looks where."""
    if not entry.gaze:
        return ""
    times = ";".join(
        ",".join(f"{value:g}" for value in (round(each.start, 2), round(each.end, 2), *each.region))
        for each in entry.gaze
    )
    return f'<span class="shade" data-gaze="{times}"></span><span class="shade"></span>'


def _spectrum(entry: Entry) -> str:
    """All that is felt, as a line in which each emotion has its share; words tell it to those who do not see."""
    shares = [(number, word, max(0.0, entry.emotions.get(word, 0.0))) for number, word in enumerate(EMOTIONS)]
    whole = sum(share for _, _, share in shares)
    if not whole > 0:
        return ""
    pieces, start = "", 0.0
    for number, _, share in shares:
        width = 100 * share / whole
        if width >= 0.05:
            pieces += f'<rect class="s{number}" x="{start:.1f}" width="{width:.1f}" height="1"/>'
        start += width
    strongest = sorted(shares, key=lambda each: -each[2])[:3]
    words = ", ".join(f"{word} {100 * share / whole:.0f} %" for _, word, share in strongest if share > 0)
    return (
        f'<svg class="spectrum" viewBox="0 0 100 1" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(words)}">{pieces}</svg>'
    )


def _failed(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    lines = "".join(f"<li><b>{escape(each.title)}</b> · {escape(each.reason)}</li>\n" for each in failures)
    works = "One work" if len(failures) == 1 else f"{len(failures):,} works"
    return f'<section class="failed" id="failed"><h2>{works} could not be rendered</h2>\n<ul>\n{lines}</ul></section>\n'


def _thumbnail_size(output: Path, item: str) -> tuple[int, int] | None:
    """Pixels of a thumbnail, so that the page keeps room for it before it is loaded; None where there is none."""
    try:
        with thumbnail_path(output, item).open("rb") as stream:
            header = read_header(stream)
    except (OSError, HeaderError):
        return None
    return header.width, header.height


def _anchor(entry: Entry) -> str:
    return f"work-{escape(entry.id)}"


def _tone(word: str) -> str:
    if word in POSITIVE_EMOTIONS:
        return "warm"
    return "cool" if word in NEGATIVE_EMOTIONS else "neutral"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{minutes} minutes" if minutes < 120 else f"{seconds / 3600:.1f} hours"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
