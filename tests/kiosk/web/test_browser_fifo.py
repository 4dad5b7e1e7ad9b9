"""The queue between the server's sound and a device's clock, in the browser that runs it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from kiosk.shared.settings import WebSettings
from tests.fixtures.exhibit.browser import chromium
from tests.fixtures.exhibit.pages import served

pytestmark = pytest.mark.realtime

TRIAL = """
async ({ rate, outputRate, hertz, seconds, seed, loss, stall, burst }) => {
  const { Fifo } = await import("/static/js/fifo.js");
  const queue = new Fifo(rate, outputRate, 2);
  const size = Math.round(0.05 * rate);
  const output = new Float32Array(128 * Math.ceil((seconds * outputRate) / 128));
  const right = new Float32Array(output.length);
  let written = 0;
  let state = seed;
  const chance = () => (state = (state * 16807) % 2147483647) / 2147483647;
  let position = 0;
  let due = 0;
  let held = 0;
  const statuses = [];
  for (; written < output.length; written += 128) {
    const now = written / outputRate;
    while (due <= now) {
      const piece = new ArrayBuffer(8 + 4 * size);
      new DataView(piece).setFloat64(0, position, true);
      const values = new Int16Array(piece, 8);
      for (let index = 0; index < size; index += 1) {
        values[2 * index] = 2 * Math.round(8192 * Math.sin((2 * Math.PI * hertz * (position + index)) / rate));
        values[2 * index + 1] = -values[2 * index] / 2;
      }
      position += size;
      if (chance() >= loss) queue.push(piece);
      due += 0.05;
      if (chance() < stall) held = 0.05 + chance();
      if (due > now && chance() < burst) due -= 1.5;
      due += held;
      held = 0;
    }
    queue.pull([output, right].map((samples) => samples.subarray(written, written + 128)));
    if (written % 12800 === 0) statuses.push(queue.status);
  }
  for (let index = 0; index < right.length; index += 1) {
    if (Math.abs(right[index] + output[index] / 2) > 1e-6) throw new Error(`the right side differs at ${index}`);
  }
  const bytes = new Blob([output]);
  const reader = new FileReader();
  const whole = new Promise((resolve) => (reader.onload = () => resolve(reader.result.split(",")[1])));
  reader.readAsDataURL(bytes);
  return { output: await whole, statuses, underruns: queue.underruns, cushion: queue.status.cushion };
}
"""
SMOOTH = {"seed": 1, "loss": 0.0, "stall": 0.0, "burst": 0.0}


def attempt(page: Page, **options: float) -> dict[str, Any]:
    """Lets the queue play a sine under these conditions, on the right half as loud and turned over.

    What came out on the left is float32 [seconds · outputRate].
    """
    trial: dict[str, Any] = page.evaluate(
        TRIAL, {"rate": 22050, "outputRate": 48000, "hertz": 300.0} | SMOOTH | options
    )
    return trial | {"output": np.frombuffer(base64.b64decode(trial["output"]), np.float32)}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of the exhibit."""
    for pages in served(WebSettings(port=0)):
        with chromium() as browser:
            opened = browser.new_page()
            opened.goto(f"{pages.origin}/staff")
            yield opened


def residual(samples: np.ndarray, hertz: float, rate: int) -> float:
    """What of a sine of about this frequency is no sine, as a share of it (the speed may be trimmed by 0.1 %)."""
    times = np.arange(len(samples)) / rate
    least = np.inf
    for trim in np.linspace(-1.1e-3, 1.1e-3, 221):
        phases = 2 * np.pi * hertz * (1 + trim) * times
        basis = np.stack([np.cos(phases), np.sin(phases)], 1)
        error = samples - basis @ np.linalg.lstsq(basis, samples, rcond=None)[0]
        least = min(least, float(np.sqrt(np.mean(error**2) / np.mean(samples**2))))
    return least


@pytest.mark.parametrize(
    ("rate", "output_rate", "hertz"),
    [(22050, 48000, 440.0), (22050, 44100, 4000.0), (22050, 22050, 3000.0), (48000, 44100, 1000.0)],
)
def test_a_tone_stays_a_tone_at_any_rate(page, rate, output_rate, hertz):
    trial = attempt(page, rate=rate, outputRate=output_rate, hertz=hertz, seconds=3.0)
    assert trial["underruns"] == 0
    samples = trial["output"][-2048:].astype(float)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.005)
    assert residual(samples, hertz, output_rate) < 2e-3  # measured at most 1.3e-3, with the speed being trimmed


@pytest.mark.parametrize("seed", [1, 22, 333, 4444])
def test_nothing_that_happens_on_the_way_clicks(page, seed):
    samples = attempt(page, seconds=20.0, seed=seed, loss=0.05, stall=0.02, burst=0.02)["output"]
    natural = 0.5 * 2 * np.pi * 300.0 / 48000
    # The fades of 5 ms add 0.5 / 240 to the largest step of the tone itself.
    assert np.abs(np.diff(samples)).max() < natural + 0.5 / 240 + 2e-3
    assert np.sqrt(np.mean(samples**2)) > 0.15  # it did play


def test_the_cushion_begins_at_a_fifth_of_a_second_and_grows_when_it_was_too_small(page):
    trial = attempt(page, seconds=40.0, stall=0.05)
    cushions = [status["cushion"] for status in trial["statuses"]]
    assert cushions[0] == 0.2
    assert cushions == sorted(cushions)
    assert trial["underruns"] >= 2
    assert trial["cushion"] == pytest.approx(min(2.0, 0.2 * 1.5 ** trial["underruns"]))


def test_a_device_that_is_behind_comes_back_to_the_present(page):
    trial = attempt(page, seconds=30.0, burst=0.05)
    assert max(status["waiting"] for status in trial["statuses"]) < 0.2 + 1.0 + 1.6
    assert np.median([status["waiting"] for status in trial["statuses"]]) < 1.3
