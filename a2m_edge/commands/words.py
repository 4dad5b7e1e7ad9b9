"""A curator's words: told of pictures by the joint embedding of pictures and texts, without any training."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from a2m_edge.bundle import Bundle, seal_bundle
from a2m_edge.bundle.manifest import MANIFEST, SUBJECTS
from a2m_edge.bundle.placement import placed_when_whole, refuse
from a2m_edge.errors import BundleError, OptionError
from a2m_edge.perception.comments import clean_comment
from a2m_edge.perception.subject_tables import SubjectTables, Word
from a2m_edge.terminal import Table, print_tables


def read_words(bundle: Bundle) -> SubjectTables:
    """What a bundle tells of pictures.

    Raises:
        BundleError: it tells nothing.
    """
    if SUBJECTS not in bundle.manifest.files:
        raise BundleError(
            f"the bundle {bundle.manifest.name} does not tell what pictures show: export one with  --subjects"
        )
    return SubjectTables.read(bundle.file(SUBJECTS))


def changed(
    tables: SubjectTables, add: Iterable[str] = (), sounds: Iterable[str] = (), remove: Iterable[str] = ()
) -> SubjectTables:
    """The tables with other words.

    Args:
        tables: of a bundle.
        add: words as ``WORD=SENTENCE``; what has the same word is replaced.
        sounds: ``WORD=SUBJECT``: a word is heard by the means of a subject.
        remove: words to take away.

    Raises:
        OptionError: one of them is not of its form, or names what is not there.
        CommentError: a sentence holds nothing that can be understood.
    """
    words = dict(tables.words)
    for name in remove:
        if words.pop(name, None) is None:
            raise OptionError(f"the bundle has no word {name!r} to remove: it has {_listed(words)}")
    for pair in add:
        name, sentence = _pair(pair, "--add", "WORD=SENTENCE, as lighthouse='a lighthouse on a rock'")
        words[name] = Word(clean_comment(sentence))
    for pair in sounds:
        name, subject = _pair(pair, "--sounds", "WORD=SUBJECT, as lighthouse=sea")
        if name not in words:
            raise OptionError(f"the bundle has no word {name!r} that could sound: it has {_listed(words)}")
        words[name] = replace(words[name], sounds=subject)
    found = replace(tables, words=words)
    try:
        found.check()
    except ValueError as error:
        raise OptionError(f"{error}: the subjects are {', '.join(tables.subjects)}") from error
    return found


def write_words(bundle: Bundle, tables: SubjectTables, out: Path, force: bool = False) -> Bundle:
    """Writes a bundle that is like another but for its words.

    Args:
        bundle: the other one.
        tables: what the new one tells of pictures.
        out: its folder, which may be that of the other one.
        force: whether a bundle that is there may be replaced though it was not written there.

    Raises:
        OutputError: ``out`` cannot be written, or is something else than a bundle.
    """
    refuse(out, force=force)
    with placed_when_whole(out) as folder:
        for name in bundle.manifest.files:
            if name not in (SUBJECTS, MANIFEST):
                shutil.copyfile(bundle.path / name, folder / name)
        (folder / SUBJECTS).write_text(tables.to_json(), encoding="utf-8")
        sealed = seal_bundle(folder, bundle.manifest)
    return replace(sealed, path=out)


def print_words(tables: SubjectTables) -> None:
    """The words of a bundle, and the subjects that they may sound as."""
    table = Table("words", ("word", "sentence", "sounds as"))
    for name, word in tables.words.items():
        table.add(name, word.sentence, word.sounds or "—")
    if table.rows:
        print_tables(table)
    told = Table("subjects", ("told", "never sure enough"))
    sure = [label.name for label in tables.labels if label.kind == "subject" and label.threshold is not None]
    told.add(", ".join(sure) or "—", ", ".join(name for name in tables.subjects if name not in sure) or "—")
    print_tables(told)


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, apart, value = (part.strip() for part in text.partition("="))
    if not (name and apart and value):
        raise OptionError(f"{option} is {text!r}: give {form}")
    return name, value


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
