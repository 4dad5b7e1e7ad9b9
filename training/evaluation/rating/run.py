"""The run of a rating study: asks what was not asked yet, and keeps every answer the moment it comes."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from a2m_edge import strict_json
from a2m_edge.errors import DataError, OutputError
from a2m_edge.output import held
from training.evaluation.rating.items import Question, RatingItem, questions
from training.evaluation.rating.prompt import AGAIN, Rating, UnusableError, fingerprint, messages, read_rating

RATINGS = "ratings.jsonl"

_LINE = b'{"key": "'
"""How a line begins."""

_MOST_RAW = 4_000
"""Letters that are kept of an answer that cannot be used."""

Show = Callable[[Iterable[Question], int], Iterable[Question]]
"""Passes questions on, and shows how many of so many are answered."""


class Model(Protocol):
    """What is asked, such as ``training.evaluation.rating.endpoint.Endpoint``."""

    model: str

    def ask(self, messages: Sequence[dict[str, Any]]) -> str:
        """The model's answer to a conversation."""


@dataclass(frozen=True)
class Answer:
    """A line of ``ratings.jsonl``.

    Attributes:
        key: of the question, see ``Question.key``.
        row, work, title, said, music, control, repeat: of the question; ``said`` is the comment.
        model: that answered.
        rating: what it said, or None where that cannot be used.
        unusable: why it cannot, or None.
        raw: the beginning of an answer that cannot be used, or None.
    """

    key: str
    row: str
    work: str
    title: str
    said: str
    music: str
    control: bool
    repeat: int
    model: str
    rating: Rating | None
    unusable: str | None = None
    raw: str | None = None


def rate(
    items: Sequence[RatingItem],
    model: Model,
    out: Path,
    *,
    repeats: int = 1,
    seed: int = 0,
    pictures: bool = True,
    temperature: float | None = None,
    show: Show = lambda each, total: each,
) -> list[Answer]:
    """Has a model rate items and their control, and appends each answer to ``ratings.jsonl``.

    What is in the file already is not asked again, unless model, prompt, temperature or item have changed. An answer
    that cannot be used is asked for once more, and then kept as what it is.

    Args:
        items: to be rated.
        model: is asked.
        out: folder with ``ratings.jsonl``, made where it is missing; this process alone may use it.
        repeats: how often each question is asked.
        seed: of the control and the order.
        pictures: whether the model can see.
        temperature: that the model was told, if any; another one makes other questions.
        show: shows how far it is.

    Returns:
        The answers to all questions, in the order of the questions.

    Raises:
        DataError: there can be no control, or the file is damaged.
        EndpointError: the model cannot be asked (any more); what was answered is kept.
        OutputError: the file cannot be written.
    """
    every = questions(items, repeats, seed)
    asked_as = fingerprint(model.model, pictures, temperature)
    with held(out):
        path = out / RATINGS
        answers = read_answers(path)
        missing = [question for question in every if question.key(asked_as) not in answers]
        try:
            with path.open("a", encoding="utf-8") as stream:
                for question in show(missing, len(missing)):
                    answer = _answer(question, question.key(asked_as), model, pictures)
                    stream.write(json.dumps(dataclasses.asdict(answer)) + "\n")
                    stream.flush()
                    os.fsync(stream.fileno())
                    answers[answer.key] = answer
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}; choose another folder with --out") from error
    return [answers[question.key(asked_as)] for question in every]


def read_answers(path: Path) -> dict[str, Answer]:
    """The answers in a file, by key; none where there is no file. A torn last line is cut off.

    Raises:
        DataError: another line is damaged.
        OutputError: the file cannot be read or mended.
    """
    try:
        if not path.exists():
            return {}
        content = path.read_bytes()
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}; choose another folder with --out") from error
    whole = content.rfind(b"\n") + 1
    answers = {}
    for number, line in enumerate(content[:whole].splitlines(), 1):
        try:
            answer = strict_json.decode(Answer, strict_json.parse(line))
        except strict_json.StrictJsonError as error:
            raise DataError(
                f"line {number} of {path} is damaged ({error}): take it out, and it is asked again"
            ) from error
        answers[answer.key] = answer
    if whole < len(content):
        _cut(path, content, whole)
    return answers


def _cut(path: Path, content: bytes, whole: int) -> None:
    """Takes a last line off that was torn as it was written."""
    if not _LINE.startswith(content[whole : whole + len(_LINE)]):
        raise DataError(f"{path} holds something else than ratings: name another folder with --out")
    try:
        os.truncate(path, whole)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}; choose another folder with --out") from error


def _answer(question: Question, key: str, model: Model, pictures: bool) -> Answer:
    """Asks, and once more where the answer cannot be used."""
    item = question.item
    known = Answer(
        key,
        _text(item.row),
        item.work,
        _text(item.title),
        _text(item.comment),
        _text(question.music),
        question.control,
        question.repeat,
        model.model,
        None,
    )
    asked = messages(question, pictures)
    said = model.ask(asked)
    try:
        return dataclasses.replace(known, rating=read_rating(said, question, pictures))
    except UnusableError as error:
        reason = str(error)
    asked += [{"role": "assistant", "content": said}, {"role": "user", "content": AGAIN.format(reason=reason)}]
    said = model.ask(asked)
    try:
        return dataclasses.replace(known, rating=read_rating(said, question, pictures))
    except UnusableError as error:
        return dataclasses.replace(known, unusable=str(error), raw=_text(said[:_MOST_RAW]))


def _text(words: str) -> str:
    """The same without halves of surrogate pairs, which are no text."""
    return words.encode("utf-8", "replace").decode()
