"""The trainers by themselves:  ``python -m training fusion ...``  is  ``a2m-edge train fusion ...``.

``torchrun --nproc-per-node N -m training ...``  trains in N processes; see ``training.parallel``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import typer

from a2m_edge.cli import escape_what_cannot_be_printed
from a2m_edge.errors import A2MError, printable
from training.commands.register import register_trainers

AFTER_THE_FIRST = 60.0
"""Seconds that other processes wait with their error: if the first one has the same, torchrun ends them by then."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a trainer and ends the process.

    The status is 0 after success, 2 after an error that the user can mend (one sentence on standard error) and
    after wrong usage, and 130 after a stop. ``torchrun`` reports these, and its own is 1 unless it is 0.

    Args:
        arguments: without the program's name; None takes those of the process.
    """
    escape_what_cannot_be_printed()
    app = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help="Train the models."
    )
    register_trainers(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    rank = int(os.environ.get("RANK", "0"))
    try:
        with _together():
            app(given, prog_name="python -m training")
    except A2MError as error:
        if rank:
            time.sleep(AFTER_THE_FIRST)
        typer.echo(f"a2m-edge: {printable(str(error))}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _together() -> AbstractContextManager[None]:
    if "WORLD_SIZE" not in os.environ:
        return nullcontext()  # torch, which takes its time, is not needed to show help
    from training import parallel

    return parallel.joined()


if __name__ == "__main__":
    main()
