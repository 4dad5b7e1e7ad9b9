"""Sound devices: found by name, and opened with what they can do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from a2m_edge.errors import DeviceError
from kiosk.speaker.audio_device import Device, find_device, for_device
from tests.fixtures.exhibit.sound_server import DEVICE, SoundServer
from tests.fixtures.exhibit.speaker_room import RATE
from tests.fixtures.places import ROOT

pytestmark = pytest.mark.realtime


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with SoundServer(RATE) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def test_a_rate_that_the_device_refuses_is_brought_to_its_own(server):
    """The server takes 384 kHz at most, so that 500 kHz are really refused."""
    code = f"""
import time
import numpy as np
from dataclasses import replace
from a2m_edge.sound.format import FORMATS
from kiosk.speaker.audio_device import Output
position = 0
def render(count):
    global position
    position += count
    tone = 0.5 * np.sin(2 * np.pi * 1000.0 * np.arange(position - count, position) / 500_000)
    return np.stack([tone, -0.5 * tone], 1).astype(np.float32)
output = Output({DEVICE!r}, replace(FORMATS["48k-stereo"], sample_rate=500_000), 0.1, render)
print(output.device_rate, flush=True)
while position < 1_300_000:
    assert output.failure is None
    time.sleep(0.01)
output.close()
"""
    recorder = server.record()
    player = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    recording, right = recorder.stop().T
    assert int(player.stdout) == 44100
    np.testing.assert_allclose(right, -0.5 * recording, atol=1e-6)
    middle = recording[np.flatnonzero(np.abs(recording) > 0.4)[0] + RATE // 2 :][:RATE]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) == 1000
    assert spectrum[:900].max() < 1e-3 * spectrum.max()
    assert spectrum[1100:].max() < 1e-3 * spectrum.max()
    assert np.abs(middle).max() == pytest.approx(0.5, abs=0.01)


def test_what_fails_in_the_making_of_sound_is_not_hidden(server):
    code = f"""
import time
from a2m_edge.sound.format import FORMATS
from kiosk.speaker.audio_device import Output
output = Output({DEVICE!r}, FORMATS["22k-mono"], 0.1, lambda count: 1 / 0)
while not output.ended:
    time.sleep(0.01)
raise output.failure
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_a_missing_portaudio_is_one_sentence_with_the_way_out():
    code = (
        "import ctypes.util; ctypes.util.find_library = lambda name: None\n"
        "from a2m_edge.errors import DeviceError\nfrom kiosk.speaker.audio_device import list_devices\n"
        "try: list_devices()\nexcept DeviceError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "the PortAudio library is not installed: run  sudo apt install libportaudio2\n"


CARD = Device(0, "HDA Intel PCH: ALC256 Analog (hw:0,0)", 2, 44100)
USB = Device(3, "USB Audio Device: - (hw:1,0)", 2, 48000)
OTHER_USB = Device(4, "USB Audio Device: - (hw:2,0)", 2, 48000)
PULSE = Device(5, "pulse", 32, 44100)


@pytest.mark.parametrize(
    ("sound", "channels", "expected"),
    [
        ([[0.5], [0.1]], 1, [[0.5], [0.1]]),
        ([[0.5], [0.1]], 2, [[0.5], [0.1]]),  # one column fills them all
        ([[0.5, 0.25]], 1, [[0.375]]),
        ([[0.5, 0.25]], 2, [[0.5, 0.25]]),
        ([[0.5, 0.25]], 4, [[0.5, 0.25, 0.0, 0.0]]),
    ],
)
def test_a_device_of_any_channels_plays_the_sound(sound, channels, expected):
    np.testing.assert_array_equal(for_device(np.array(sound, np.float32), channels), np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("default", PULSE),
        ("pulse", PULSE),
        ("PULSE", PULSE),
        ("USB Audio Device: - (hw:1,0)", USB),
        ("usb audio device: -", USB),
        ("ALC256", CARD),
        ("HDA Intel PCH: ALC256 Analog (hw:7,0)", CARD),
    ],
)
def test_devices_are_found_by_name_wherever_they_are(wanted, found):
    assert find_device(wanted, [CARD, USB, OTHER_USB, PULSE], 5) == found


@pytest.mark.parametrize(
    ("wanted", "devices", "default", "words"),
    [
        ("pulse", [], None, "no sound device for 'pulse'"),
        ("bluetooth", [CARD, PULSE], 5, "'bluetooth'.*ALC256"),
        ("usb", [USB, OTHER_USB], 3, "several.*hw:1,0.*hw:2,0"),
        ("default", [CARD], None, "default.*ALC256"),
    ],
)
def test_what_cannot_be_found_is_said_with_what_there_is(wanted, devices, default, words):
    with pytest.raises(DeviceError, match=words):
        find_device(wanted, devices, default)
