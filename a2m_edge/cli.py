"""The command ``a2m-edge``.

Every room of the house brings its own commands: it offers a function ``register(app)`` under the entry-point group
``a2m_edge.commands``. This module imports none of them by name.
"""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from inspect import getdoc
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from a2m_edge.diagnostics import print_traceback, scrub_warnings
from a2m_edge.errors import A2MError, encodable, printable
from a2m_edge.version import __version__

COMMANDS = "a2m_edge.commands"
"""The entry-point group whose members add commands."""

_WrongUsage: Any = typer.BadParameter.__base__  # of typer's own click, which it does not export
_ESCAPED = "a2m-edge escaped"

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process.

    The status is 0 after success, 2 after an error that the user can mend (one sentence on standard error) and
    after wrong usage, 1 after a mistake in the program, and 130 after Ctrl-C. Whatever is said on the way out, no user
    name and no password of an address among the arguments is in it.

    Args:
        arguments: without the program's name; None takes those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    scrub_warnings(*given)
    escape_what_cannot_be_printed()
    try:
        build_app()(given, prog_name="a2m-edge")
    except A2MError as error:
        typer.echo(f"a2m-edge: {printable(str(error), *given)}", err=True)
        _abandon_output()
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        print_traceback(error, *given)
        sys.exit(1)


def build_app() -> typer.Typer:
    """The app with the commands of every room that is installed."""
    # Without rich the help is there in half the time; progress bars and tables import it when they need it.
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, cls=_Commands)
    app.callback()(_options)
    for room in sorted(entry_points(group=COMMANDS), key=lambda each: each.name):
        _add(app, room)
    _tell_whole(app)
    return app


class _Commands(TyperGroup):
    """The commands; wrong usage is told without the secrets of what was given."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        self._given = tuple(args or ())
        return super().main(args, *rest, **options)

    def make_context(self, *rest: Any, **options: Any) -> Any:
        try:
            return super().make_context(*rest, **options)
        except _WrongUsage as error:
            raise self._told(error) from None

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _WrongUsage as error:
            raise self._told(error) from None

    def _told(self, error: Any) -> Any:
        error.message = printable(error.message, *self._given)
        return error


def escape_what_cannot_be_printed() -> None:
    """Has standard output and error escape what their encoding lacks, as names that are no UTF-8.

    To print it would end the program else.
    """
    codecs.register_error(_ESCAPED, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = encodable(error.object[error.start : error.end])
    return text.encode(error.encoding, "backslashreplace").decode(error.encoding), error.end


def _tell_whole(app: typer.Typer) -> None:
    """Has a list of commands show the first sentence of each; as it is, it would be cut at the end of the line."""
    for command in app.registered_commands:
        command.short_help = _first_sentence(command.help or getdoc(command.callback) or "")
    for group in app.registered_groups:
        inner = group.typer_instance
        if inner is not None:
            group.short_help = _first_sentence(str(inner.info.help or ""))
            _tell_whole(inner)


def _first_sentence(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def _add(app: typer.Typer, room: EntryPoint) -> None:
    try:
        register = room.load()
    except ModuleNotFoundError as error:
        if error.name is not None and f"{room.module}.".startswith(f"{error.name}."):
            return  # the room itself is not installed: the others do without it
        _log.warning("the commands of %s are left out: %s", room.name, error)
    except ImportError as error:
        _log.warning("the commands of %s are left out: %s", room.name, error)
    else:
        register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"a2m-edge {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
    ] = False,
) -> None:
    """An artwork and a visitor's comment become a living soundscape."""


def _abandon_output() -> None:
    """Drops what standard output can no longer take, or the interpreter would complain of it on its way out."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
