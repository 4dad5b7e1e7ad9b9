"""Debian's Chromium, driven by playwright, and the sound that it plays."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from tests.kiosk.pages import NAME, Pages

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    f"--host-resolver-rules=MAP {NAME} 127.0.0.1",
]

_RECORD = """
window.recorded = [];
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...more) {
  if (target instanceof AudioDestinationNode && this.context.audioWorklet) {
    window.rate = this.context.sampleRate;
    this.context.audioWorklet.addModule("/recorder.js").then(() => {
      const recorder = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
      recorder.port.onmessage = ({ data }) => window.recorded.push(data);
      connect.call(this, recorder);
    });
  } else if (target instanceof AudioDestinationNode) {
    window.rate = this.context.sampleRate;
    window.recorded.push(this.buffer.getChannelData(0).slice());
  }
  return connect.call(this, target, ...more);
};
"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; skips the test where there is none."""
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: run  sudo apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """A page in a browser that keeps what it complains of, whom it asks, and what it plays.

    Args:
        browser: in which it is opened.
        pages: what it visits.
        path: of the page.
        options: of ``Browser.new_context``.
    """

    def __init__(self, browser: Browser, pages: Pages, path: str = "/", **options: Any) -> None:
        self.pages = pages
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.context: BrowserContext = browser.new_context(**({"locale": "en"} | options))
        self.context.set_default_timeout(60_000)
        self.context.add_init_script(_RECORD)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)
        self.page.goto(pages.origin + path)
        self.page.wait_for_selector("body.ready")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def text(self, selector: str) -> str:
        """The text of an element."""
        return self.page.inner_text(selector)

    def has(self, selector: str, text: str) -> None:
        """Waits until an element says this."""
        self.page.wait_for_function(
            "([selector, text]) => document.querySelector(selector).innerText.includes(text)", arg=[selector, text]
        )

    def point(self) -> tuple[float, float]:
        """Where the point stands: valence and arousal."""
        x, y = self.page.eval_on_selector(
            "#point", "point => { const { e, f } = point.transform.baseVal[0].matrix; return [e, f]; }"
        )
        return x, -y

    def listen(self) -> None:
        """Taps the button, and waits until there is sound."""
        self.page.click("#listen")
        self.has("#listening", "You hear what the room hears.")

    def played(self, seconds: float) -> tuple[np.ndarray, int]:
        """What this device plays from now on, float32 [N], without an underrun in it, and its rate (Hz)."""
        underruns = "document.querySelector('#listen').dataset.underruns"
        end = time.monotonic() + 120
        while time.monotonic() < end:
            begun = self.page.evaluate(f"() => {{ window.recorded = []; return {underruns}; }}")
            self.page.wait_for_function(
                "seconds => window.recorded.reduce((sum, { length }) => sum + length, 0) > seconds * window.rate",
                arg=seconds,
            )
            samples, rate, ended = self.page.evaluate(
                f"() => [window.recorded.flatMap((piece) => [...piece]), window.rate, {underruns}]"
            )
            if begun == ended:
                return np.array(samples, np.float32), rate
        raise AssertionError("there was no time without an underrun")

    def close(self) -> None:
        """Ends the visit; nobody else was asked for anything."""
        self.context.close()
        assert self.foreign == []

    def _note(self, request: Request) -> None:
        if not request.url.startswith((f"{self.pages.origin}/", f"{self.pages.origin.replace('http', 'ws')}/")):
            self.foreign.append(request.url)


@contextlib.contextmanager
def visiting(browser: Browser, pages: Pages, path: str = "/", **options: Any) -> Iterator[Visitor]:
    """A visit in which the page has nothing to complain of."""
    visitor = Visitor(browser, pages, path, **options)
    try:
        yield visitor
    finally:
        visitor.close()
    assert visitor.complaints == []


def pitch(samples: np.ndarray, rate: int) -> float:
    """The strongest frequency (Hz)."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))
