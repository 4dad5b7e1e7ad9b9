"""Every error a user can meet.

Each carries one sentence with the cause and the way out. The command line prints that sentence and exits with
status 2; no traceback is shown. Programming mistakes stay ordinary Python exceptions.
"""

from __future__ import annotations

from collections.abc import Callable

from a2m_edge.addresses import without_secrets


def first_line(error: BaseException) -> str:
    """The first line of what an error of some library says, or its type where it says nothing; 300 letters at most."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


Remark = Callable[[str], None]
"""Is given a sentence for the user about what was read nevertheless: a picture, a table."""


def encodable(text: str) -> str:
    r"""A text that UTF-8 can hold: the bytes of a file's name that are no UTF-8 (as ``os.fsdecode`` gives them) become
    ``\xff``, other halves of a surrogate pair ``\ud800``."""
    whole = "".join(f"\\x{ord(letter) - 0xDC00:02x}" if 0xDC80 <= ord(letter) <= 0xDCFF else letter for letter in text)
    return whole.encode("utf-8", "backslashreplace").decode()


def printable(text: str, *arguments: str) -> str:
    """A text on one line that UTF-8 can hold, with a blank for each other character that cannot be shown, and without
    secrets of addresses.

    A message may hold the name of a file, or a value from one: it must not steer the terminal.

    Args:
        text: see above.
        arguments: of the command line, see ``a2m_edge.addresses.without_secrets``.
    """
    safe = encodable(without_secrets(text, *arguments))
    return "".join(letter if letter.isprintable() else " " for letter in safe)


class A2MError(Exception):
    """Base of all errors that a user can cause and mend; ``str(error)`` is the whole message."""


class OptionError(A2MError):
    """A value given on the command line or to a public function is out of its range."""


class PictureError(A2MError):
    """A picture cannot be read: missing, empty, truncated, too large, or no picture at all."""


class CommentError(A2MError):
    """A comment holds nothing that can be understood."""


class CollectionError(A2MError):
    """The source of a collection cannot be read: missing, out of reach, or in no form that is known."""


class BundleError(A2MError):
    """A bundle is missing, altered, incomplete, or newer than this program."""


class OutputError(A2MError):
    """A result cannot be written: no such folder, no permission, or no space."""


class DeviceError(A2MError):
    """The device that was asked for cannot be used."""


class EngineCacheError(A2MError):
    """The folder of built engines cannot be used: it is not writable, full, or others may write to it."""


class CheckpointError(A2MError):
    """A training checkpoint is missing, damaged, or of the wrong kind."""


class DataError(A2MError):
    """Training data are missing or not in the form that is documented."""


class ExportError(A2MError):
    """A checkpoint could not be exported, or an exported graph differs from its model."""


class MissingExtraError(A2MError):
    """A part of the installation that this command needs is absent.

    Args:
        what: the missing part in words, for example ``"onnxruntime"``.
        extra: the extra of this package that installs it, for example ``"cpu"``.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} is not installed: run  pip install "a2m-edge[{extra}]"')
        self.extra = extra
