"""Draws ``docs/architecture.svg``, and the table of rooms in ``docs/architecture.md``, from the code itself.

The rooms and their storeys are the plan that ``tests/test_house.py`` holds the imports to; the arrows between the parts
are the imports that there are; what each room is for is the first sentence of its docstring::

    python -m tools.draw_architecture
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from tests.fixtures.places import ROOT
from tests.test_house import KNOWN, _imports, _sources, rooms

PICTURES = {"architecture.svg": True, "architecture-narrow.svg": False}
"""Files in ``docs``, and whether the picture is for a wide screen."""

DOCUMENT = "architecture.md"
BEGIN, END = "<!-- rooms -->\n", "<!-- end of rooms -->"
PURPOSE = {
    "kiosk": "the exhibit",
    "export": "checkpoints to a bundle",
    "training": "data to checkpoints",
    "a2m_edge": "a bundle to sound",
}

_LETTER, _TEXT, _HEAD = 9.1, 15, 19  # pixels: width of a letter, sizes of a room's and a part's name
_CHIP, _GAP, _PAD = 28, 8, 12  # height of a room, space between two, edge of a box
_STOREY, _TITLE, _BETWEEN = 12, 42, 46  # space between storeys, height of a part's title, space between parts
_STYLE = """
  :root { color-scheme: light dark }
  .part { fill: #f6f7f9; stroke: #5b6b7d } .part + .head { fill: #17212b }
  .room { fill: #ffffff; stroke: #8b99a8 } .nested { fill: #e9edf2; stroke: #8b99a8 }
  text { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #17212b }
  .for { fill: #44515f } .floor { stroke: #b9c3cd } .wall { stroke: #b5472f; stroke-width: 4 }
  .arrow { fill: none; stroke: #2463a6; stroke-width: 2.5 } .tip { fill: #2463a6 }
  @media (prefers-color-scheme: dark) {
    .part { fill: #1c242d; stroke: #8ea0b3 } .room { fill: #2a3440; stroke: #66788a }
    .nested { fill: #232d37; stroke: #66788a } text { fill: #eef2f6 } .for { fill: #b8c4d0 }
    .floor { stroke: #465564 } .wall { stroke: #f08a70 } .arrow { stroke: #7db4ee } .tip { fill: #7db4ee }
  }
"""

Plan = list[list[list[str]]]


@dataclass(frozen=True)
class Box:
    """Where a part stands: its corners in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre, (x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@cache
def arrows() -> tuple[tuple[str, str], ...]:
    """Which part imports which, as ``(from, to)`` in the order of the house's plan."""
    imported = {
        part: {module.split(".")[0] for path in _sources(part) for module in _imports(path)} - {part} for part in KNOWN
    }
    return tuple((part, other) for part in KNOWN for other in KNOWN if other in imported[part])


def draw(wide: bool) -> str:
    """The picture as SVG text: two columns, 840 pixels wide, or one of 400 for a phone."""
    heights = {part: _TITLE + _height(part, 385 if wide else 340) for part in PURPOSE}
    boxes: dict[str, Box] = {}
    columns = (
        (("kiosk", "a2m_edge"), ("export", "training")) if wide else (("kiosk", "export", "training", "a2m_edge"),)
    )
    for number, column in enumerate(columns):
        left, width = (15 + 425 * number, 385) if wide else (30, 340)
        top = 10.0
        for part in column:
            boxes[part] = Box(left, top, left + width, top + heights[part])
            top += heights[part] + _BETWEEN
    height = max(box.bottom for box in boxes.values()) + 12
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {840 if wide else 400} {height:g}" role="img">',
        "<title>The parts of a2m-edge, their rooms in storeys, and which part imports which</title>",
        f"<style>{_STYLE}</style>",
        '<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="5" markerHeight="5" orient="auto">'
        '<path class="tip" d="M0 0L10 5L0 10z"/></marker>',
    ]
    for part, box in boxes.items():
        lines += [
            f'<rect class="part" x="{box.left:g}" y="{box.top:g}" width="{box.right - box.left:g}" '
            f'height="{box.bottom - box.top:g}" rx="10"/>',
            f'<text x="{box.left + _PAD:g}" y="{box.top + 28:g}" font-size="{_HEAD}" font-weight="bold">{part}/'
            f'<tspan class="for" font-size="14" font-weight="normal" dx="10">{escape(PURPOSE[part])}</tspan></text>',
            *_plan(part, box.left, box.top + _TITLE, box.right - box.left),
        ]
    for arrow in arrows():
        points = " ".join(f"{x:g},{y:g}" for x, y in _way(arrow, boxes, wide))
        lines.append(f'<polyline class="arrow" points="{points}" marker-end="url(#tip)"/>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def table() -> str:
    """The rooms of each part with what they are for, highest storey first, as Markdown."""
    plans, lines = rooms(), []
    for part in PURPOSE:
        lines += [f"**`{part}/`**, {PURPOSE[part]}\n", "| room | what it is for |", "| --- | --- |"]
        for name in _names(plans[part]):
            lines.append(f"| `{_file(part, name)}` | {_purpose(part, name)} |")
            inner = f"{part}.{name}"
            lines += [f"| `{_file(inner, each)}` | {_purpose(inner, each)} |" for each in _names(plans.get(inner, []))]
        lines.append("")
    return "\n".join(lines)


def written(document: str) -> str:
    """The document with the table of today between its marks."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}{END}{rest.partition(END)[2]}"


def main() -> None:
    """Writes the pictures and the table."""
    for name, wide in PICTURES.items():
        (ROOT / "docs" / name).write_text(draw(wide), encoding="utf-8")
    document = ROOT / "docs" / DOCUMENT
    document.write_text(written(document.read_text(encoding="utf-8")), encoding="utf-8")


def _names(plan: Plan) -> list[str]:
    return [name for storey in reversed(plan) for flat in storey for name in flat]


def _place(part: str, name: str) -> Path:
    folder = ROOT / part.replace(".", "/") / name
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def _file(part: str, name: str) -> str:
    place = _place(part, name)
    folder = f"{place.parent.relative_to(ROOT)}/"
    return folder if place.name == "__init__.py" else f"{folder}{place.name}"


def _purpose(part: str, name: str) -> str:
    text = ast.get_docstring(ast.parse(_place(part, name).read_text(encoding="utf-8")))
    if text is None:
        raise ValueError(f"{_file(part, name)} has no docstring that says what it is for")
    first = re.split(r"(?<=[.:])\s*\n|\n\n", text, maxsplit=1)[0]
    return " ".join(first.split()).replace("``", "`").replace("|", r"\|")


def _label(part: str, name: str) -> str:
    return f"{name}/" if _place(part, name).name == "__init__.py" else name


def _rows(part: str, width: float) -> list[list[tuple[str, bool]]]:
    """The rows of rooms from top to bottom: a room and whether a wall stands before it; [] is a storey's floor."""
    plans, found = rooms(), []
    for storey in reversed(plans[part]):
        row: list[tuple[str, bool]] = []
        used = 0.0
        for number, flat in enumerate(storey):
            for place, name in enumerate(flat):
                wide = len(_label(part, name)) * _LETTER + 2 * _GAP
                alone = f"{part}.{name}" in plans
                if row and (alone or used + wide > width - 2 * _PAD):
                    found.append(row)
                    row, used = [], 0.0
                row.append((name, number > 0 and place == 0))
                used += wide + _GAP + (_GAP if number and not place else 0)
        found += [row, []]
    return found[:-1]


def _tall(part: str, row: list[tuple[str, bool]], width: float) -> float:
    nested = f"{part}.{row[-1][0]}"
    return _CHIP if nested not in rooms() else _CHIP + _height(nested, width - 2 * _PAD)


def _height(part: str, width: float) -> float:
    tall = sum(_STOREY if not row else _tall(part, row, width) + _GAP for row in _rows(part, width))
    return tall - _GAP + _PAD


def _plan(part: str, left: float, top: float, width: float) -> list[str]:
    """The rooms of a part or of a room, below each other from ``top``."""
    lines = []
    for row in _rows(part, width):
        if not row:
            y = top + _STOREY / 2 - _GAP / 2
            lines.append(f'<path class="floor" d="M{left + _PAD:g} {y:g}H{left + width - _PAD:g}"/>')
            top += _STOREY
            continue
        x, tall = left + _PAD, _tall(part, row, width)
        for name, wall in row:
            if wall and x == left + _PAD:  # it lies across where the flat behind it begins a row
                lines.append(f'<path class="wall" d="M{x:g} {top - _GAP / 2:g}H{left + width - _PAD:g}"/>')
            elif wall:
                lines.append(f'<path class="wall" d="M{x:g} {top:g}v{_CHIP}"/>')
                x += _GAP
            label, nested = _label(part, name), f"{part}.{name}"
            inside = nested in rooms()
            size = width - 2 * _PAD - (x - left - _PAD) if inside else len(label) * _LETTER + 2 * _GAP
            lines += [
                f'<rect class="{"nested" if inside else "room"}" x="{x:g}" y="{top:g}" width="{size:g}" '
                f'height="{tall if inside else _CHIP:g}" rx="6"/>',
                f'<text x="{x + _GAP:g}" y="{top + 19:g}" font-size="{_TEXT}">{escape(label)}</text>',
                *(_plan(nested, x, top + _CHIP, size) if inside else []),
            ]
            x += size + _GAP
        top += tall + _GAP
    return lines


def _way(arrow: tuple[str, str], boxes: dict[str, Box], wide: bool) -> list[tuple[float, float]]:
    """The corners of an arrow, which crosses no part."""
    start, end = boxes[arrow[0]], boxes[arrow[1]]
    below = start.left == end.left and 0 < end.top - start.bottom <= _BETWEEN
    if below:
        return [(start.middle[0], start.bottom), (start.middle[0], end.top - 2)]
    if wide and start.top < end.bottom and start.bottom > end.top + _BETWEEN:
        y = (max(start.top, end.top) + min(start.bottom, end.bottom)) / 2
        return [(start.left, y), (end.right + 2, y)]
    if wide:
        lane = (start.left + end.right) / 2
        return [
            (start.left, start.middle[1]),
            (lane, start.middle[1]),
            (lane, end.top + 24),
            (end.right + 2, end.top + 24),
        ]
    side, out = ("left", -18) if arrow[0] == "kiosk" else ("right", 18)
    from_x, to_x = getattr(start, side), getattr(end, side)
    return [
        (from_x, start.middle[1]),
        (from_x + out, start.middle[1]),
        (from_x + out, end.top + 24),
        (to_x + out / 9, end.top + 24),
    ]


if __name__ == "__main__":
    main()
