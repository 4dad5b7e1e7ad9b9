"""Tables on a terminal of any width: every word of them is shown, and no line is wider than the terminal."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import textwrap
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from a2m_edge.errors import printable

LEAST_WORDS = 24
"""Letters that a column of words has at least; longer words, as paths and hashes, are broken."""


@dataclass(frozen=True)
class Figures:
    """The heading of a column of numbers: they stand at the right edge, and are never broken.

    Attributes:
        heading: may have several lines; a unit takes less room here than beside each number.
    """

    heading: str


@dataclass
class Table:
    """Rows of plain text under headings.

    Attributes:
        title: a line above.
        columns: a heading each, of words or ``Figures``; a table whose headings are all empty shows none.
        rows: as ``add`` was given them.
    """

    title: str
    columns: tuple[str | Figures, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Adds a row, one text for each column.

        Raises:
            ValueError: there are more or fewer.
        """
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cells for {len(self.columns)} columns")
        self.rows.append(cells)


def print_tables(*tables: Table) -> None:
    """Prints tables on standard output, as wide as the terminal lets them be, or as they are where there is none.

    Columns of words are wrapped. Where even that is not enough, each row stands by itself, a line for each heading.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    for table in tables:
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = max(_width(table, console, wrapped=False), len(table.title))
        console.print(_drawn(table, console), "")


def print_markdown(text: str) -> None:
    """Prints Markdown: as it is for a file or a program, and to a terminal with its tables drawn to its width."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        sys.stdout.write(f"{text}\n")
        return
    for is_table, group in itertools.groupby(text.splitlines(), lambda line: line.startswith("|")):
        lines = list(group)
        if is_table:
            print_tables(_table_of_markdown(lines))
        elif words := "\n".join(lines).strip():
            console.print(_text(words), "")


def print_line(text: str, indent: int) -> None:
    """Prints a line of words at once; a terminal gets it broken between words, what follows the first break indented.

    Names and addresses are never broken, so that they can be copied.
    """
    if sys.stdout.isatty():
        width, hanging = shutil.get_terminal_size().columns, " " * indent
        text = textwrap.fill(text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _table_of_markdown(lines: list[str]) -> Table:
    headings, edges, *rows = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines)
    pairs = zip(headings, edges, strict=True)
    table = Table("", tuple(Figures(heading) if edge.endswith(":") else heading for heading, edge in pairs))
    for row in rows:
        table.add(*row)
    return table


def _drawn(table: Table, console: Console) -> RenderableType:
    if _width(table, console, wrapped=True) <= console.width:
        body: RenderableType = _grid(table, wraps=_width(table, console, wrapped=False) > console.width)
    else:
        body = Group(*_turned(table))
    return Group(_text(table.title, "bold"), body) if table.title else body


def _grid(table: Table, wraps: bool) -> Grid:
    headings = [_heading(column) for column in table.columns]
    grid = _frame(any(headings))
    grid.leading = int(wraps and any(headings))  # an empty line tells rows of several lines apart
    for column, heading in zip(table.columns, headings, strict=True):
        if isinstance(column, Figures):
            grid.add_column(_text(heading), justify="right", no_wrap=True)
        else:
            grid.add_column(_text(heading), overflow="fold")
    for row in table.rows:
        grid.add_row(*map(_text, row))
    return grid


def _frame(headed: bool) -> Grid:
    """A table that spends two columns of the terminal between two of its own, and none at its edges."""
    return Grid(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), show_header=headed, header_style="bold"
    )


def _turned(table: Table) -> list[RenderableType]:
    """Each row by itself: its headings one below the other, each beside its cell."""
    turned: list[RenderableType] = []
    for row in table.rows:
        grid = _frame(headed=False)
        grid.add_column(overflow="fold", style="bold")
        grid.add_column(overflow="fold")
        for column, cell in zip(table.columns, row, strict=True):
            if cell:
                grid.add_row(_text(" ".join(_heading(column).split())), _text(cell))
        turned += ["", grid] if turned else [grid]
    return turned


def _width(table: Table, console: Console, wrapped: bool) -> int:
    """Columns of the terminal that a grid takes at least, with its words wrapped or not."""
    wide = console.options.update_width(1 << 16)

    def least(column: str | Figures, cells: list[str]) -> int:
        sizes = [Measurement.get(console, wide, _text(text)) for text in (_heading(column), *cells)]
        if wrapped and not isinstance(column, Figures):
            return min(LEAST_WORDS, max(size.minimum for size in sizes))
        return max(size.maximum for size in sizes)

    columns = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    return sum(least(*pair) + 2 for pair in zip(table.columns, columns, strict=True)) - 2


def _heading(column: str | Figures) -> str:
    return column.heading if isinstance(column, Figures) else column


def _text(text: str, style: str = "") -> Text:
    """Plain text; what a name from a file would have the terminal do is left out."""
    return Text("\n".join(map(printable, text.split("\n"))), style)
