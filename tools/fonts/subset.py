"""Makes the fonts that come with the pages, so that an exhibit whose computer has none shows every text.

    python -m tools.fonts.subset FOLDER

gets the packages of ``FONTS`` with ``npm pack`` into the folder, unless they are there, and writes
one WOFF2 file for each of ``FONTS`` into ``kiosk/web/static/fonts/``. The same packages, fontTools and
Brotli give the same bytes. Needed again when a text has a character that no font holds; a test says so.
"""

from __future__ import annotations

import argparse
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from tools.fonts.characters import ROOT, shown_in

OUT = ROOT / "kiosk" / "web" / "static" / "fonts"
VERSION = "5.3.0"
_OF_ALPHABETS = 0x2FFF
_ALPHABET = ["ccmp", "kern", "liga", "lnum", "locl", "mark", "mkmk", "pnum", "tnum"]
_ARABIC = [*_ALPHABET, "calt", "curs", "fina", "init", "isol", "medi", "rlig"]


@dataclass(frozen=True)
class Source:
    """A font of the packages.

    Attributes:
        package: in the npm registry, of ``VERSION``.
        parts: which of its files; several become one.
        blocks: ranges of characters that are taken, both ends included.
        language: whose texts are taken besides.
        features: of its layout that are kept.
    """

    package: str
    parts: tuple[str, ...]
    blocks: tuple[tuple[int, int], ...] = ()
    language: str = ""
    features: tuple[str, ...] = tuple(_ALPHABET)


_OF_LATIN = ((0x131, 0x131), (0x152, 0x153))
_HAN_MARKS = ((0x3001, 0x3002), (0x300C, 0x300F), (0xFF01, 0xFF1F))
FONTS = {
    "latin": Source(
        "noto-serif", ("latin",), ((0x20, 0xFF), *_OF_LATIN, (0x2010, 0x203A), (0x2190, 0x2193), (0x2212, 0x2212))
    ),
    "latin-ext": Source("noto-serif", ("latin-ext",), ((0x100, 0x24F), (0x1E00, 0x1EFF))),
    "cyrillic": Source("noto-serif", ("cyrillic",), ((0x301, 0x301), (0x400, 0x4FF), (0x2116, 0x2116))),
    "cyrillic-ext": Source("noto-serif", ("cyrillic-ext",), ((0x460, 0x4FF),)),
    "arabic": Source("noto-naskh-arabic", ("arabic",), ((0x600, 0x6FF), (0x750, 0x77F)), features=tuple(_ARABIC)),
    "japanese": Source("noto-serif-jp", ("japanese",), (*_HAN_MARKS, (0x3041, 0x30FF)), "ja", ()),
    "korean": Source("noto-serif-kr", ("korean",), (), "ko", ()),
    "chinese-simplified": Source("noto-serif-sc", ("chinese-simplified",), _HAN_MARKS, "zh", ()),
    "chinese-traditional": Source(  # its wide marks are in files of their own
        "noto-serif-tc", ("chinese-traditional", "119", "122", "123"), _HAN_MARKS, "zh-Hant", ()
    ),
}
"""By the name of the file that is written."""


def main() -> None:
    """Writes the fonts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the packages are, or come to be")
    folder: Path = parser.parse_args().folder
    OUT.mkdir(exist_ok=True)
    for name, source in FONTS.items():
        target = OUT / f"{name}.woff2"
        target.write_bytes(subset_of(source, _packed(folder, source)))
        print(target.relative_to(ROOT), target.stat().st_size)


def subset_of(source: Source, package: Path) -> bytes:
    """A font with the characters of its blocks and texts alone, as WOFF2."""
    left = {code for first, last in source.blocks for code in range(first, last + 1)}
    if source.language:
        left |= {ord(character) for character in shown_in(source.language) if ord(character) > _OF_ALPHABETS}
    fonts: list[BytesIO] = []
    with tarfile.open(package) as archive:
        for part in source.parts:
            content = archive.extractfile(f"package/files/{source.package}-{part}-400-normal.woff2")
            assert content is not None
            font = TTFont(BytesIO(content.read()), recalcTimestamp=False)
            taken = left & set(font.getBestCmap())
            left -= taken
            fonts.append(_file(_reduced(font, taken, source.features)))
    whole = Merger().merge(fonts) if len(fonts) > 1 else TTFont(fonts[0], recalcTimestamp=False)
    whole.recalcTimestamp = False
    whole["head"].modified = whole["head"].created = TTFont(fonts[0])["head"].modified
    return _file(whole, "woff2").getvalue()


def _reduced(font: TTFont, characters: set[int], features: Sequence[str]) -> TTFont:
    options = Options()
    options.layout_features = list(features)
    options.drop_tables += ["BASE", "STAT", "vhea", "vmtx"]  # nothing is set vertically
    options.drop_tables += [] if features else ["GDEF", "GPOS", "GSUB"]
    options.hinting = False
    options.name_IDs = [0, 1, 2]  # whose it is
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=characters)
    subsetter.subset(font)
    return font


def _file(font: TTFont, flavor: str | None = None) -> BytesIO:
    written = BytesIO()
    font.flavor = flavor
    font.save(written)
    written.seek(0)
    return written


def _packed(folder: Path, source: Source) -> Path:
    file = folder / f"fontsource-{source.package}-{VERSION}.tgz"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", f"@fontsource/{source.package}@{VERSION}"], cwd=folder, check=True)
    return file


if __name__ == "__main__":
    main()
