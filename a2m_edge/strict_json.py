"""JSON to dataclasses and back, with nothing guessed.

Reading demands every key and no other, in the exact type of the field. Writing is deterministic. Both refuse
NaN and infinities, which JSON does not have.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from typing import Any, Literal, TypeVar, Union

T = TypeVar("T")


class StrictJsonError(ValueError):
    """A text or value that does not fit; the message names the place."""


def parse(text: str | bytes) -> object:
    """The value of a JSON text.

    Raises:
        StrictJsonError: it is not JSON in UTF-8, repeats a key, nests too deep, or holds NaN or an infinity.
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value: object = json.loads(decoded, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # an escaped half of a surrogate pair is no text
    except StrictJsonError:
        raise
    except UnicodeError as error:
        raise StrictJsonError("it is not UTF-8 text") from error
    except RecursionError as error:
        raise StrictJsonError("it is nested too deep") from error
    except ValueError as error:  # json.JSONDecodeError, or an integer of thousands of digits
        raise StrictJsonError(f"it is not JSON ({error})") from error
    return value


def decode(kind: type[T], value: object) -> T:
    """A dataclass from a parsed value.

    Fields may be of type str, int, float, bool, ``Literal``, fixed and open tuples, dictionaries with string
    keys, dataclasses, unions of these with keys of their own and of simple types, and ``object`` for any JSON value.

    Raises:
        StrictJsonError: a key is missing or unknown, or a value is of another type.
    """
    result: T = _decode(kind, value, "")
    return result


def encode(value: object) -> str:
    """A dataclass as JSON text: sorted keys, two spaces, a newline at the end.

    Raises:
        StrictJsonError: it holds what JSON does not have.
    """
    try:
        plain = dataclasses.asdict(value)  # type: ignore[call-overload]
        return json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise StrictJsonError(str(error)) from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise StrictJsonError("a key is there twice")
    return result


def _refuse(constant: str) -> object:
    raise StrictJsonError(f"{constant} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise StrictJsonError(f"{text} is too large")
    return number


def _decode(kind: Any, value: object, place: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is object:
        return value
    if kind is float and type(value) in (int, float):
        return _number(typing.cast(float, value), place)
    if kind in (str, int, bool) and type(value) is kind:
        return value
    if origin is Literal and value in arguments:
        return value
    if origin in (Union, types.UnionType):
        return _decode_union(arguments, value, place)
    if origin is tuple and isinstance(value, list):
        kinds = arguments[:1] * len(value) if arguments[-1] is ... else arguments
        if len(kinds) == len(value):
            return tuple(
                _decode(each, item, f"{place}[{index}]")
                for index, (each, item) in enumerate(zip(kinds, value, strict=True))
            )
    if origin is dict and isinstance(value, dict):
        return {key: _decode(arguments[1], item, f"{place}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _decode_dataclass(kind, value, place)
    raise StrictJsonError(f"{place.lstrip('.') or 'it'} must be {_in_words(kind)}")


def _decode_union(choices: tuple[Any, ...], value: object, place: str) -> Any:
    """The choice of the value's own type; among dataclasses, the one of the same keys, or else the first."""
    for choice in choices:
        if type(value) is choice:
            return value
    records: list[Any] = [choice for choice in choices if dataclasses.is_dataclass(choice)]
    if isinstance(value, dict) and records:
        return _decode_dataclass(
            next((kind for kind in records if _hints(kind).keys() == value.keys()), records[0]), value, place
        )
    raise StrictJsonError(f"{place.lstrip('.') or 'it'} must be one of {', '.join(map(_in_words, choices))}")


def _decode_dataclass(kind: Any, value: dict[str, object], place: str) -> Any:
    hints = _hints(kind)
    for key in sorted(hints.keys() - value.keys()):
        raise StrictJsonError(f"{place}.{key} is missing".lstrip("."))
    for key in sorted(value.keys() - hints.keys()):
        raise StrictJsonError(f"{place}.{key} is unknown".lstrip("."))
    return kind(**{key: _decode(hint, value[key], f"{place}.{key}") for key, hint in hints.items()})


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _number(value: float, place: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise StrictJsonError(f"{place.lstrip('.')} is too large") from error


def _in_words(kind: Any) -> str:
    if dataclasses.is_dataclass(kind):
        return "an object"
    names = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(kind, str(kind).replace("typing.", ""))
