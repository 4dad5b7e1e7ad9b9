"""The HTML of a report; see ``training.evaluation.report.model``."""

from __future__ import annotations

import base64
import hashlib
import io
import math
from collections.abc import Iterator
from html import escape
from importlib import resources

from a2m_edge import __version__
from a2m_edge.errors import OutputError
from a2m_edge.perception.picture_formats import HeaderError, read_header
from a2m_edge.sound.files import SOUND_FORMATS, encode_sound
from training.evaluation.report.model import (
    Column,
    Example,
    Figure,
    Missing,
    Report,
    Sound,
    Table,
    Value,
    best_rows,
    ends,
)
from training.evaluation.report.model import number as number_of

_POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src {style}; script-src {script}; "
    "base-uri 'none'; form-action 'none'"
)
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}
_DIRECTIONS = {"higher": ("↑", "higher is better"), "lower": ("↓", "lower is better")}


def page(report: Report) -> Iterator[str]:
    """The page in pieces.

    Raises:
        OutputError: a picture is no PNG or JPEG, or a sound is empty, not finite or cannot be encoded.
    """
    style, script = _part("report.css"), _part("report.js")
    policy = _POLICY.format(style=_source(style), script=_source(script))
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(report.title)}</title>\n<style>{style}</style>\n</head>\n'
        f'<body>\n<header>\n<h1 dir="auto">{escape(report.title)}</h1>\n'
    )
    if report.facts:
        facts = "".join(
            f'<div><dt dir="auto">{escape(name)}</dt><dd dir="auto">{escape(value)}</dd></div>'
            for name, value in report.facts.items()
        )
        yield f'<dl class="facts">{facts}</dl>\n'
    yield f"{_contents(report)}</header>\n<main>\n"
    for index, table in enumerate(report.tables):
        yield _table(table, f"table-{index}")
    if report.figures:
        yield '<section id="figures"><h2>Figures</h2>\n<div class="figures">\n'
        yield from map(_figure, report.figures)
        yield "</div></section>\n"
    if report.examples:
        yield '<section id="examples"><h2>Examples</h2>\n<div class="examples">\n'
        yield from map(_example, report.examples)
        yield "</div></section>\n"
    yield (
        f"</main>\n<footer><p>Made by a2m-edge {escape(__version__)}. The same numbers, at full precision, are in the "
        f"JSON file beside this page.</p></footer>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def shown(value: float, decimals: int) -> str:
    """A finite number as the page shows it; what rounding would turn into nothing is shown as a power of ten."""
    if value and abs(value) < 0.5 * 10**-decimals:
        digits, exponent = f"{value:.1e}".split("e")
        return f"{digits}e{int(exponent)}".replace("-", "−")
    return f"{value:,.{decimals}f}".replace("-", "−")


def _part(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """How a content security policy names an inline style or script (CSP 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _contents(report: Report) -> str:
    links = [(f"table-{index}", table.title) for index, table in enumerate(report.tables)]
    links += [("figures", "Figures")] * bool(report.figures) + [("examples", "Examples")] * bool(report.examples)
    if len(links) < 3:
        return ""
    items = "".join(f'<li><a href="#{anchor}" dir="auto">{escape(title)}</a></li>' for anchor, title in links)
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>\n'


def _table(table: Table, anchor: str) -> str:
    decimals = [_decimals(column, [row.values[at] for row in table.rows]) for at, column in enumerate(table.columns)]
    best = [best_rows(table, at) for at in range(len(table.columns))]
    head = "".join(map(_heading, table.columns))
    body = []
    for index, row in enumerate(table.rows):
        cells = "".join(
            _cell(value, decimals[at], index in best[at], table.columns[at].reconstruction)
            for at, value in enumerate(row.values)
        )
        note = f'<small dir="auto">{escape(row.note)}</small>' if row.note else ""
        kind = ' class="reference"' if row.reference else ""
        body.append(f'<tr{kind}><th scope="row"><span dir="auto">{escape(row.name)}</span>{note}</th>{cells}</tr>\n')
    note = f'<p class="note" dir="auto">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<section id="{anchor}">\n'
        f'<div class="scroll" role="region" aria-labelledby="{anchor}-title" tabindex="0">\n<table>\n'
        f'<caption><h2 id="{anchor}-title" dir="auto">{escape(table.title)}</h2>{note}</caption>\n'
        f'<thead><tr><th scope="col"><span class="unseen">What is compared</span></th>{head}</tr></thead>\n'
        f"<tbody>\n{''.join(body)}</tbody>\n</table>\n</div>\n{_legend(table, best)}</section>\n"
    )


def _heading(column: Column) -> str:
    unit = f' <span class="unit">{escape(column.unit)}</span>' if column.unit else ""
    direction = ""
    if column.better:
        arrow, words = _DIRECTIONS[column.better]
        direction = f'<span aria-hidden="true">\u00a0{arrow}</span><span class="unseen">, {words}</span>'
    mark = '<span class="mark">reconstruction</span>' if column.reconstruction else ""
    kind = ' class="reconstruction"' if column.reconstruction else ""
    return f'<th scope="col"{kind}><span dir="auto">{escape(column.name)}</span>{unit}{direction}{mark}</th>'


def _cell(value: Value, decimals: int, best: bool, reconstruction: bool) -> str:
    kind = ' class="reconstruction"' if reconstruction else ""
    alone = number_of(value)
    if alone is None:
        reason = value.reason if isinstance(value, Missing) else ""
        said = f'<small dir="auto">{escape(reason)}</small>' if reason else ""
        return f'<td{kind}><span aria-hidden="true">—</span><span class="unseen">not measured</span>{said}</td>'
    text = shown(alone, decimals)
    text = f"<strong>{text}</strong>" if best else text
    interval = ends(value)
    if interval is not None:
        low, high = (shown(end, decimals) for end in interval)
        text += f'<small class="interval"><span class="unseen">interval from </span>{low} to {high}</small>'
    return f"<td{kind}>{text}</td>"


def _legend(table: Table, best: list[frozenset[int]]) -> str:
    """How each column is measured, and what the marks of the table mean."""
    notes = "".join(
        f'<div><dt dir="auto">{escape(column.name)}</dt><dd dir="auto">{escape(column.note)}</dd></div>'
        for column in table.columns
        if column.note
    )
    values = [value for row in table.rows for value in row.values]
    said = []
    if directions := {column.better for column in table.columns} - {""}:
        said.append(", ".join(" ".join(_DIRECTIONS[better]) for better in sorted(directions)) + ".")
    if any(best):
        said.append("Bold: the best of its column.")
    if any(row.reference for row in table.rows):
        said.append("Rows in italics are for orientation and are not ranked.")
    if any(ends(value) is not None for value in values):
        said.append("Under a value: its 95 % interval.")
    if any(number_of(value) is None for value in values):
        said.append("—: not measured.")
    if any(column.reconstruction for column in table.columns):
        said.append(
            "Columns marked “reconstruction” compare a sound with the recording it was made from: they tell how well "
            "something known is rebuilt, not how well something new is made."
        )
    legend = f'<p class="legend">{escape(" ".join(said))}</p>' if said else ""
    return f'<dl class="columns">{notes}</dl>{legend}\n' if notes else f"{legend}\n"


def _decimals(column: Column, values: list[Value]) -> int:
    """Digits after the point that suit a column: none for whole numbers, else three digits that count, or so."""
    if column.decimals is not None:
        return column.decimals
    numbers = [abs(alone) for value in values if (alone := number_of(value)) is not None]
    intervals = any(ends(value) is not None for value in values)
    if not numbers or (not intervals and all(each == math.floor(each) for each in numbers)):
        return 0
    largest = max(numbers)
    return 3 if largest < 10 else 2 if largest < 100 else 1


def _figure(figure: Figure) -> str:
    note = f'<p dir="auto">{escape(figure.note)}</p>' if figure.note else ""
    picture = _picture(figure.png, figure.note or figure.title, figure.title)
    return f'<figure>{picture}<figcaption><h3 dir="auto">{escape(figure.title)}</h3>{note}</figcaption></figure>\n'


def _example(example: Example) -> str:
    hung = "" if example.picture is None else _picture(example.picture, example.title, example.title)
    comment = f'<blockquote dir="auto">{escape(example.comment)}</blockquote>' if example.comment else ""
    note = f'<p class="note" dir="auto">{escape(example.note)}</p>' if example.note else ""
    sounds = "".join(_player(sound, example.title) for sound in example.sounds)
    players = f'<ul class="sounds">{sounds}</ul>' if sounds else ""
    return (
        f'<article><div class="hung">{hung}</div><div><h3 dir="auto">{escape(example.title)}</h3>'
        f"{comment}{note}{players}</div></article>\n"
    )


def _player(sound: Sound, title: str) -> str:
    where = f"the sound {sound.name} of {title}"
    if len(sound.samples) == 0:
        raise OutputError(f"the report cannot be written: {where} is empty; leave it out")
    try:
        data = encode_sound(sound.samples, sound.rate, SOUND_FORMATS["mp3"])
    except ValueError as error:
        raise OutputError(f"the report cannot be written: {where} is broken ({error}); make it again") from error
    name = escape(sound.name)
    label = escape(f"{sound.name}: {title}")
    return (
        f'<li><span dir="auto">{name}</span>'
        f'<audio controls preload="metadata" aria-label="{label}" src="{_address("audio/mpeg", data)}"></audio></li>'
    )


def _picture(data: bytes, alternative: str, title: str) -> str:
    try:
        header = read_header(io.BytesIO(data))
    except HeaderError as error:
        raise OutputError(f"the report cannot be written: the picture of {title} is broken ({error})") from error
    if header.format not in _MEDIA_TYPES:
        raise OutputError(f"the report cannot be written: the picture of {title} is {header.format}, not PNG or JPEG")
    return (
        f'<img src="{_address(_MEDIA_TYPES[header.format], data)}" width="{header.width}" height="{header.height}" '
        f'alt="{escape(alternative)}">'
    )


def _address(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
