"""Pictures of every page in three sizes, of a real exhibit whose camera looks at a painting on a wall.

    python -m tools.screenshots docs

writes ``kiosk-PAGE-SIZE.png``, and the visitors' page on a screen in other languages as
``kiosk-visitors-LANGUAGE.png``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from argon2 import PasswordHasher
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from a2m_edge.perception.pictures import read_picture
from tests.fixtures.exhibit.browser import CHROMIUM, FLAGS
from tests.fixtures.exhibit.exhibit import RunningExhibit
from tests.fixtures.places import ROOT

SIZES = {"phone": (390, 844), "tablet": (820, 1180), "screen": (1280, 800)}
PIN = "271828"
COMMENT = "It makes me feel small and calm"
OPTIONS = """[web]
host = "0.0.0.0"
token = "a-token-for-pictures"
names = ["exhibit.museum.example"]
pin_hash = "{pin_hash}"
"""


def main() -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES))
    parser.add_argument("--pages", nargs="*", default=["visitors", "staff", "calibrate"])
    parser.add_argument("--languages", nargs="*", default=["ar", "ja", "de"])
    parser.add_argument("--audio", default="none", help="sound device of the exhibit")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        frame, outline = _room(read_picture(ROOT / "examples" / "calm_sea.jpg"))
        _film(frame, Path(name) / "gallery.avi")
        options = OPTIONS.format(pin_hash=PasswordHasher().hash(PIN))
        with RunningExhibit(Path(name), camera="gallery.avi", audio=arguments.audio, options=options) as exhibit:
            _make_ready(exhibit, np.array(outline) + _OFF)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                for size in arguments.sizes:
                    for page in arguments.pages:
                        target = arguments.folder / f"kiosk-{page}-{size}.png"
                        _take(browser, f"http://127.0.0.1:{exhibit.port}", page, size, target)
                for language in arguments.languages:
                    target = arguments.folder / f"kiosk-visitors-{language}.png"
                    _take(browser, f"http://127.0.0.1:{exhibit.port}", "visitors", "screen", target, language)
                browser.close()
            exhibit.end()


def _make_ready(exhibit: RunningExhibit, region: np.ndarray) -> None:
    """Calibrates the exhibit and waits until it has followed the painting and a comment."""
    assert exhibit.until(exhibit.healthy), exhibit.log
    assert exhibit.ask("/api/staff/session", {"pin": PIN})[0] == 204
    assert exhibit.ask("/api/staff/region", {"corners": region.tolist()}, "PUT")[0] == 204
    assert exhibit.until(lambda: exhibit.metric("a2m_pictures_felt_total") >= 1), exhibit.log
    assert exhibit.ask("/api/comment", {"comment": COMMENT})[0] == 202
    assert exhibit.until(lambda: exhibit.metric("a2m_comments_felt_total") >= 1 and exhibit.healthy()), exhibit.log
    time.sleep(20.0)  # until the headroom has been measured


def _film(frame: np.ndarray, path: Path) -> None:
    """Writes ten seconds of an unmoved camera's view."""
    height, width = frame.shape[:2]
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (width, height))
    for _ in range(100):
        film.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    film.release()


_OFF = np.array([[-0.012, -0.016], [0.01, -0.02], [0.014, 0.018], [-0.01, 0.02]])
"""From the corners of the work to those of a region that somebody drew by hand."""


def _room(painting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The painting on a wall, seen from the left: a frame and the work's corners, each in [0, 1]."""
    height, width = 540, 960
    wall = (
        np.linspace(150, 105, height)[:, None, None]
        * np.array([1.0, 0.97, 0.93])
        * np.linspace(1.0, 0.86, width)[None, :, None]
    )
    wall[430:] = np.linspace(88, 66, height - 430)[:, None, None] * np.array([1.0, 0.86, 0.72])
    corners = np.array([[268, 78], [706, 108], [706, 372], [268, 398]], np.float32)
    rows, columns = painting.shape[:2]
    framed = cv2.copyMakeBorder(painting, 22, 22, 22, 22, cv2.BORDER_CONSTANT, value=(38, 29, 22))
    source = np.array([[22, 22], [columns + 22, 22], [columns + 22, rows + 22], [22, rows + 22]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners)
    warped = cv2.warpPerspective(framed, matrix, (width, height), flags=cv2.INTER_AREA)
    mask = cv2.warpPerspective(np.full(framed.shape[:2], 255, np.uint8), matrix, (width, height))
    shadow = cv2.GaussianBlur(np.roll(mask, (14, 6), (0, 1)), (0, 0), 12)[..., None] / 255
    wall = wall * (1 - 0.45 * shadow)
    alpha = mask[..., None] / 255
    frame = (warped * 0.86 * alpha + wall * (1 - alpha)).clip(0, 255).astype(np.uint8)
    return frame, corners / (width, height)


def _take(browser: Browser, origin: str, page_name: str, size: str, target: Path, language: str = "en") -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language, has_touch=size == "phone"
    )
    page = context.new_page()
    page.goto(f"{origin}/{'' if page_name == 'visitors' else page_name}")
    {"visitors": _visit, "staff": _sign_in, "calibrate": _sign_in}[page_name](page)
    page.screenshot(path=target, full_page=True)
    context.close()
    with Image.open(target) as shot:  # 256 colours are enough, and a third of the bytes
        shot.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(target, optimize=True)
    print(target, target.stat().st_size)


def _visit(page: Page) -> None:
    page.wait_for_selector("img.work.shown")
    page.click("#why summary")
    time.sleep(11)  # until the ribbon is full


def _sign_in(page: Page) -> None:
    page.fill("#pin", PIN)
    page.keyboard.press("Enter")
    page.wait_for_selector("#view img:not([hidden])")
    time.sleep(1.5)


if __name__ == "__main__":
    main()
