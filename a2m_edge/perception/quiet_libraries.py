"""Libraries of C that talk to the terminal by themselves."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator

_lock = threading.Lock()


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keeps the remarks of Pillow, OpenCV, libpng, libjpeg and libtiff off the terminal.

    The C libraries write to file descriptor 2 themselves, some past OpenCV's log level, so it points nowhere while a
    picture is decoded; the error that follows says what matters.
    """
    with _lock, contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        try:
            kept = os.dup(2)
        except OSError:  # there is no standard error to keep clean
            yield
            return
        stack.callback(os.close, kept)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, nowhere)
        os.dup2(nowhere, 2)
        stack.callback(os.dup2, kept, 2)
        yield
