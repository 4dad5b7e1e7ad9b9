"""Paint the example pictures: `python examples/paint.py` writes six JPEG files beside this script.

Each picture is composed as an underpainting and then rendered in brush strokes. Everything is seeded, so
the same command gives the same pictures.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
from brush import Brushwork, Easel
from scenes import calm_sea, carnival, field, grief, night_street, storm
from underpainting import Board

JPEG_QUALITY = 86


@dataclass(frozen=True)
class Picture:
    """A scene, the hand that paints it, and the size of the canvas in pixels."""

    scene: Callable[[Board], None]
    brushwork: Brushwork
    width: int
    height: int
    seed: int


PICTURES = {
    "calm_sea": Picture(calm_sea.calm_sea, calm_sea.CALM_SEA, 1000, 700, 11),
    "storm": Picture(storm.storm, storm.STORM, 1000, 750, 23),
    "field": Picture(field.field, field.FIELD, 1000, 780, 35),
    "night_street": Picture(night_street.night_street, night_street.NIGHT_STREET, 800, 1000, 47),
    "grief": Picture(grief.grief, grief.GRIEF, 820, 1000, 59),
    "carnival": Picture(carnival.carnival, carnival.CARNIVAL, 1000, 800, 61),
}


def paint(name: str, out: Path, scale: float = 1.0) -> Path:
    """Paint one picture at `scale` times its full size and return the JPEG file written to `out`."""
    picture = PICTURES[name]
    board = Board(round(picture.width * scale), round(picture.height * scale), picture.seed)
    picture.scene(board)
    image = Easel(board, picture.brushwork, picture.seed).paint()
    file = out / f"{name}.jpg"
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise RuntimeError(f"OpenCV could not encode {file}.")
    file.write_bytes(data.tobytes())
    return file


def main() -> None:
    """Read the command line and paint."""
    parser = argparse.ArgumentParser(description="Paint the example pictures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(PICTURES)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for the JPEG files")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is full size, about 1000 pixels")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PICTURES):
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    if not 0.05 <= options.scale <= 4:
        parser.error("--scale must lie between 0.05 and 4")
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or PICTURES:
        print(paint(name, options.out, options.scale))


if __name__ == "__main__":
    main()
