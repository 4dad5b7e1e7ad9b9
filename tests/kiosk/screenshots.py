"""Pictures of every page in three sizes, with real music of the default bundle.

    python -m tests.kiosk.screenshots docs

writes ``kiosk-PAGE-SIZE.png``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from argon2 import PasswordHasher
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from a2m_edge.bundle import open_bundle
from a2m_edge.pictures import read_picture
from a2m_edge.soundscape import Soundscape
from kiosk.messages import LiveView, Outline, PartState
from kiosk.settings import WebSettings
from tests.kiosk.browser import CHROMIUM, FLAGS
from tests.kiosk.small_exhibit import SmallExhibit, felt, jpeg, serving

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"phone": (390, 844), "tablet": (820, 1180), "screen": (1280, 800)}
PIN = "271828"
TOKEN = "a-token-for-pictures"  # noqa: S105
SECONDS = 20.0


def main() -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES))
    parser.add_argument("--pages", nargs="*", default=["visitors", "staff", "calibrate"])
    arguments = parser.parse_args()
    hashed = PasswordHasher(time_cost=1, memory_cost=8192).hash(PIN)
    names = ("exhibit.museum.example",)
    settings = WebSettings(host="0.0.0.0", port=0, token=TOKEN, names=names, pin_hash=hashed)  # noqa: S104
    exhibit = _exhibit(settings)
    try:
        with serving(exhibit, settings) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for size in arguments.sizes:
                for page in arguments.pages:
                    target = arguments.folder / f"kiosk-{page}-{size}.png"
                    _take(browser, f"http://127.0.0.1:{server.port}", page, size, target)
            browser.close()
    finally:
        exhibit.close()


def _exhibit(settings: WebSettings) -> SmallExhibit:
    """An exhibit that plays a soundscape of the example pictures, made beforehand."""
    soundscape = Soundscape(open_bundle())
    painting = read_picture(ROOT / "examples" / "calm_sea.jpg")
    soundscape.see(painting)
    perception = soundscape.hear("It makes me feel small and calm")
    music = np.concatenate(
        [chunk.samples for chunk in soundscape.chunks(soundscape.bundle.manifest.audio.frames(SECONDS))]
    )
    music = music * (0.25 / max(0.01, float(np.sqrt(np.mean(music**2))))) / 2
    place = 0

    def sound(count: int) -> np.ndarray:
        nonlocal place
        piece = np.take(music, np.arange(place, place + count), mode="wrap")
        place += count
        return piece

    exhibit = SmallExhibit(settings, sound)
    feeling = perception.feeling
    assert soundscape.casting is not None
    players = tuple(soundscape.bundle.manifest.instruments[index] for index in soundscape.casting.instruments)
    exhibit.felt = felt(feeling.word, feeling.valence, feeling.arousal, instruments=players, mode="dorian", tempo=62.0)
    exhibit.artworks = [painting]
    frame, outline = _room(painting)
    exhibit.view = LiveView(jpeg(frame), outline, "the work in view is the one that is played")
    exhibit.region = _outline(np.array(outline) + _OFF)
    exhibit.parts = (
        PartState("speaker", "USB Audio DAC: Stereo", True, "live sound leaves the device"),
        PartState("engine", "CPUExecutionProvider", True, "3.4 seconds of sound in one second of work"),
        PartState("camera", "/dev/video0", True, "frames arrive", restarts=1),
        PartState("web", "127.0.0.1:8000", True, "the pages answer"),
    )
    exhibit.counters = {
        "frames_captured": 41_022,
        "artworks_seen": 3,
        "chunks_made": 3_190,
        "comments_felt": 87,
        "underruns": 0,
    }
    exhibit.timings = {"picture": 41.3, "comment": 18.9, "decoder": 52.4, "vocoder": 47.1, "comment to sound": 212.0}
    return exhibit


_OFF = np.array([[-0.012, -0.016], [0.01, -0.02], [0.014, 0.018], [-0.01, 0.02]])


def _outline(corners: np.ndarray) -> Outline:
    first, second, third, fourth = ((float(x), float(y)) for x, y in corners)
    return first, second, third, fourth


def _room(painting: np.ndarray) -> tuple[np.ndarray, Outline]:
    """The painting on a wall, seen from the left: a frame and the work's outline."""
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
    return frame, _outline(corners / (width, height))


def _take(browser: Browser, origin: str, page_name: str, size: str, target: Path) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en", has_touch=size == "phone")
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
    time.sleep(11)  # until the ribbon is full


def _sign_in(page: Page) -> None:
    page.fill("#pin", PIN)
    page.keyboard.press("Enter")
    page.wait_for_selector("#view img:not([hidden])")
    time.sleep(1.5)


if __name__ == "__main__":
    main()
