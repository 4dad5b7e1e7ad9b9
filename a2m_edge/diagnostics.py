"""What a process says that nobody foresaw, tracebacks and warnings of libraries, without the secrets of addresses."""

from __future__ import annotations

import logging
import sys
import traceback

from a2m_edge.addresses import is_like_address, scrubbed


def scrub_warnings(*arguments: str) -> None:
    """Has the warnings that libraries log, where nobody set up a log, name no secret.

    Args:
        arguments: of the command line; what may be an address of them keeps its secrets.
    """
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Scrubbed(arguments))


def print_traceback(error: BaseException, *arguments: str) -> None:
    """Prints the traceback of a mistake in the program on standard error, as the interpreter would.

    Args:
        error: that was raised.
        arguments: as in ``scrub_warnings``.
    """
    sys.stderr.write(_scrubbed("".join(traceback.format_exception(error)), arguments))


class _Scrubbed(logging.Formatter):
    def __init__(self, arguments: tuple[str, ...]) -> None:
        super().__init__()
        self._arguments = arguments

    def format(self, record: logging.LogRecord) -> str:
        return _scrubbed(super().format(record), self._arguments)


def _scrubbed(text: str, arguments: tuple[str, ...]) -> str:
    addresses = (each for argument in arguments for each in (argument, argument.partition("=")[2]))
    return scrubbed(text, *filter(is_like_address, addresses))
