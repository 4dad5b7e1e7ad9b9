"""The commands of the exhibit: ``kiosk``, ``kiosk calibrate``, ``kiosk pin``, ``kiosk options`` and ``doctor``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kiosk.config import Settings

# The signatures below are what --help needs; everything that takes time to import waits inside the functions.

EXTRA = ("pydantic_settings", "fastapi", "uvicorn", "websockets", "sounddevice", "segno", "argon2", "regex")
"""What the extra ``kiosk`` installs, as modules."""

_Camera = Annotated[
    str | None,
    typer.Option(help="Number, device, RTSP or HTTP address, video file, or folder of pictures; 0 when left out."),
]
_Rotate = Annotated[int | None, typer.Option(help="Degrees by which its frames are turned clockwise: 90, 180 or 270.")]
_Config = Annotated[Path | None, typer.Option(help="File with options; see  a2m-edge kiosk options.")]
_Audio = Annotated[str | None, typer.Option(help="Name of the sound device, or none for a web-only exhibit.")]
_Host = Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 when left out.")]
_Port = Annotated[int | None, typer.Option(help="Port to listen on; 8000 when left out.")]
_Bundle = Annotated[Path | None, typer.Option(help="Folder of a bundle; the built-in one when left out.")]
_Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or tensorrt.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    kiosk = typer.Typer(invoke_without_command=True, rich_markup_mode=None, help="Run an exhibit, unattended.")
    kiosk.callback()(run)
    kiosk.command("calibrate")(calibrate)
    kiosk.command("pin")(pin)
    kiosk.command("options")(options)
    app.add_typer(kiosk, name="kiosk")
    app.command("doctor")(doctor)


def run(
    context: typer.Context,
    camera: _Camera = None,
    rotate: _Rotate = None,
    config: _Config = None,
    audio: _Audio = None,
    host: _Host = None,
    port: _Port = None,
    bundle: _Bundle = None,
    device: _Device = None,
) -> None:
    """Run an exhibit: a camera sees the artwork, visitors write what they feel, the sound in the room follows."""
    if (command := context.invoked_subcommand) is not None:
        from a2m_edge.errors import OptionError

        if any(value is not None for value in (camera, rotate, config, audio, host, port, bundle, device)):
            raise OptionError(f"the options come after the command: a2m-edge kiosk {command} --…")
        return
    settings = _settings(
        config, camera=camera, rotate=rotate, audio=audio, host=host, port=port, bundle=bundle, device=device
    )
    from kiosk.supervisor.preparation import prepare

    supervisor = prepare(settings)
    typer.echo(f"open  {_own_address(settings)}  in a browser; Ctrl-C ends", err=True)
    sys.exit(supervisor.run())


def calibrate(
    camera: _Camera = None,
    rotate: _Rotate = None,
    config: _Config = None,
    host: _Host = None,
    port: _Port = None,
) -> None:
    """Show what the camera sees in a browser, with the outline that was found, and keep where the artwork hangs."""
    settings = _settings(config, camera=camera, rotate=rotate, host=host, port=port)
    from kiosk.supervisor.preparation import prepare_calibration

    supervisor, pin = prepare_calibration(settings)
    typer.echo(f"open  {_own_address(settings)}/calibrate  and give the PIN  {pin} ; Ctrl-C ends", err=True)
    sys.exit(supervisor.run())


def pin() -> None:
    """Make the hash of a PIN for the staff page, to be put in kiosk.toml as pin_hash in [web]."""
    from a2m_edge.errors import OptionError

    _check_extra()
    from argon2 import PasswordHasher

    if sys.stdin.isatty():
        wanted = typer.prompt("PIN", hide_input=True, confirmation_prompt=True, err=True)
    else:
        wanted = sys.stdin.readline().rstrip("\n")
    if not (6 <= len(wanted) <= 64 and wanted.isprintable()):
        raise OptionError("the PIN must have 6 to 64 characters that can be typed")
    typer.echo(PasswordHasher().hash(wanted))


def options() -> None:
    """Print a kiosk.toml with every option, its meaning and its default."""
    _check_extra()
    from kiosk.config import example_file

    typer.echo(example_file(), nl=False)


def doctor(
    camera: _Camera = None,
    rotate: _Rotate = None,
    config: _Config = None,
    audio: _Audio = None,
    host: _Host = None,
    port: _Port = None,
    bundle: _Bundle = None,
    device: _Device = None,
) -> None:
    """Check everything an exhibit needs; the status is 0 when all is well and 1 when something is to be done."""
    settings = _settings(
        config, camera=camera, rotate=rotate, audio=audio, host=host, port=port, bundle=bundle, device=device
    )
    from a2m_edge.terminal import print_line
    from kiosk.doctor import examine

    healthy = True
    for finding in examine(settings):
        print_line(str(finding), indent=7)
        healthy &= finding.ok
    sys.exit(0 if healthy else 1)


def _settings(
    config: Path | None,
    *,
    camera: str | None = None,
    rotate: int | None = None,
    audio: str | None = None,
    host: str | None = None,
    port: int | None = None,
    bundle: Path | None = None,
    device: str | None = None,
) -> Settings:
    _check_extra()
    from kiosk.config import load_settings

    given: dict[str, dict[str, object]] = {
        "camera": {"source": camera, "rotate": rotate},
        "engine": {"bundle": bundle, "device": device},
        "speaker": {"device": audio},
        "web": {"host": host, "port": port},
    }
    return load_settings(config, given)


def _own_address(settings: Settings) -> str:
    """Where the pages are, for this computer itself."""
    scheme = "http" if settings.web.certificate is None else "https"
    return f"{scheme}://127.0.0.1:{settings.web.port}"


def _check_extra() -> None:
    from a2m_edge.errors import MissingExtraError

    for module in EXTRA:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(module, "kiosk")
    if importlib.util.find_spec("onnxruntime") is None:
        raise MissingExtraError("onnxruntime", "cpu")
