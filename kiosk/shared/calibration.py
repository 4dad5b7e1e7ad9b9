"""The region in which the artwork hangs, kept in a small file of its own."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path

from a2m_edge.errors import OptionError, OutputError
from a2m_edge.output import written_within
from kiosk.shared.messages import Outline

_LARGEST_FILE = 1 << 16
_FIRST_LINE = "# The corners of the artwork in the camera's turned frame; written by  a2m-edge kiosk calibrate"
_WRITTEN = re.compile(rb"# The corners of the artwork [^\n]*\nregion = [^\n#]*\n(rotate = \d+\n)?")
"""What this program writes, and wrote before frames could be turned. The file is its own mark, and needs no list beside
it: it is brought back from a backup, and whoever replaces it has its region before their eyes."""


def read_region(file: Path, rotate: int) -> Outline | None:
    """The region that a file holds; None where there is no file.

    Args:
        file: of the calibration.
        rotate: degrees by which the camera's frames are turned now.

    Raises:
        OptionError: the file is not what ``write_region`` writes, or its region lies in frames that were turned
            otherwise.
    """
    try:
        with file.open("rb") as stream:
            value = tomllib.loads(stream.read(_LARGEST_FILE).decode("utf-8-sig"))
        (top_left, top_right, bottom_right, bottom_left) = value["region"]
        region = (_corner(top_left), _corner(top_right), _corner(bottom_right), _corner(bottom_left))
        turned = int(value.get("rotate", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OptionError(f"the calibration {file} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OptionError(f"the calibration {file} is damaged: delete it and calibrate again") from error
    check_region(region)
    if turned != rotate:
        raise OptionError(
            f"the calibration {file} was made with frames turned by {turned} degrees, and camera.rotate is {rotate}:"
            " delete it and calibrate again"
        )
    return region


def write_region(file: Path, region: Outline | None, rotate: int) -> None:
    """Keeps a region in a file, whole or not at all; None removes the file.

    Args:
        file: of the calibration.
        region: in the turned frame.
        rotate: degrees by which the camera's frames are turned.

    Raises:
        OptionError: the region is no quadrilateral (see ``check_region``).
        OutputError: the file cannot be written or removed, or holds what this program did not write.
    """
    _require_own(file)
    if region is None:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove {file}: {error.strerror or error}") from error
        return
    check_region(region)
    corners = ", ".join(f"[{x:.6f}, {y:.6f}]" for x, y in region)
    with written_within(file) as stream:
        stream.write(f"{_FIRST_LINE}\nregion = [{corners}]\nrotate = {rotate}\n".encode())


def _require_own(file: Path) -> None:
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST_FILE)
    except OSError:  # told by whoever writes it
        return
    if content and not _WRITTEN.fullmatch(content):
        raise OutputError(
            f"{file} holds more than a calibration of a2m-edge: move it away, or name another file in "
            f"camera.calibration"
        )


def check_region(region: Outline) -> None:
    """Refuses corners that are not those of a convex quadrilateral, clockwise on the screen, inside the frame.

    Raises:
        OptionError: naming what is wrong.
    """
    if not all(0.0 <= value <= 1.0 for corner in region for value in corner):  # false for NaN as well
        raise OptionError("the region leaves the frame: every corner is from 0 to 1")
    for index in range(4):
        (x0, y0), (x1, y1), (x2, y2) = (region[(index + step) % 4] for step in range(3))
        turn = (x1 - x0) * (y2 - y1) - (y1 - y0) * (x2 - x1)  # above 0 where it turns clockwise, y pointing down
        if not turn > 1e-6:
            raise OptionError(
                "the region is no quadrilateral: give its corners clockwise, beginning with the upper left one"
            )


def _corner(value: object) -> tuple[float, float]:
    if not (isinstance(value, list) and len(value) == 2):
        raise ValueError("a corner has two numbers")
    x, y = (float(each) for each in value)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("a corner is finite")
    return x, y
