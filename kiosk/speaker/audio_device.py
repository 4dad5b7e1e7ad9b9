"""Sound devices: found by name, opened with what they can do, and watched. Only the speaker process opens one."""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2m_edge.errors import DeviceError, MissingExtraError
from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.mel import downmix
from a2m_edge.sound.resampling import Resampler

DEFAULT = "default"
"""The name that means the device which the system prefers."""

_RISE_SECONDS = 0.01
"""Length of the fade-in when a device starts to play while the music is already running."""

_PLACE = re.compile(r"\s*\((?:plug)?hw:\d+(?:,\d+)*\)\s*$")
"""What ALSA appends to a device's name: its current card and device numbers."""


@dataclass(frozen=True)
class Device:
    """A sound device, as PortAudio lists it now.

    Attributes:
        index: its place in the list; another one after something was plugged in or out.
        name: as listed.
        channels: most channels that it plays.
        sample_rate: the one it prefers (Hz).
    """

    index: int
    name: str
    channels: int
    sample_rate: int


def list_devices() -> tuple[list[Device], int | None]:
    """Every device that plays sound, as it is now, and the index of the default one if there is any.

    PortAudio lists devices only when it starts: so it is started anew, and no stream may be open in this process.

    Raises:
        MissingExtraError: sounddevice is not installed.
        DeviceError: the PortAudio library is not installed, or it cannot start.
    """
    sounddevice = _sounddevice()
    _quieten_alsa()
    try:
        sounddevice._terminate()
        sounddevice._initialize()
        listed = list(sounddevice.query_devices())
        default = int(sounddevice.default.device[1])
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"the sound system cannot be used ({_reason(error)}): check it with  aplay -l") from error
    devices = [
        Device(index, str(each["name"]), int(each["max_output_channels"]), round(each["default_samplerate"]))
        for index, each in enumerate(listed)
        if each["max_output_channels"] > 0
    ]
    return devices, default if any(device.index == default for device in devices) else None


def find_device(wanted: str, devices: Sequence[Device], default: int | None) -> Device:
    """The device of a name, wherever it is plugged in now.

    Args:
        wanted: ``"default"``, a full name with or without the place that ALSA adds to it, or a part of one; upper
            and lower case are the same.
        devices, default: from ``list_devices``.

    Raises:
        DeviceError: there is none, or the part fits several.
    """
    if not devices:
        raise DeviceError(
            f"there is no sound device for {wanted!r}: plug in a loudspeaker, or start the sound server; --audio none"
            " plays through the page alone"
        )
    names = ", ".join(repr(device.name) for device in devices)
    if wanted == DEFAULT:
        for device in devices:
            if device.index == default:
                return device
        raise DeviceError(f"no sound device is the default one: choose one of {names}")
    for plain in (str.strip, _without_place):
        found = [device for device in devices if plain(device.name).casefold() == plain(wanted).casefold()]
        if found:
            return found[0]
    found = [device for device in devices if wanted.casefold() in device.name.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(repr(device.name) for device in found)
        raise DeviceError(f"several sound devices are called {wanted!r}: say which of {several}")
    raise DeviceError(f"there is no sound device {wanted!r}: plug it in, or choose one of {names}")


class Output:
    """A sound device that plays.

    Where the device does not take the sample rate, the sound is brought to one that it prefers. Each channel of the
    sound goes to one of the device's; mono goes to all of them, and a device of one channel gets the mean.

    Args:
        wanted: name, as in ``find_device``.
        audio: the format of the sound.
        latency: seconds of sound that the sound system is asked to keep.
        render: returns the next ``count`` samples, float32 [count, C], or None while something else plays them; the
            device then plays silence. It is called from a thread of PortAudio and must not block.

    Attributes:
        device: what was opened.
        device_rate: at which it plays (Hz).
        latency: seconds from a sample's reading to its sounding, as the sound system states it.
        failure: the exception that ``render`` raised, or None.
        underflows: how often the device had nothing left to play.

    Raises:
        MissingExtraError, DeviceError: as ``list_devices`` and ``find_device``, or the device cannot be opened.
    """

    def __init__(
        self, wanted: str, audio: AudioFormat, latency: float, render: Callable[[int], NDArray[np.float32] | None]
    ) -> None:
        self.device = find_device(wanted, *list_devices())
        self.failure: Exception | None = None
        self.underflows = 0
        self._render = render
        self._called_at: float | None = None
        self._ended = False
        self._stream, self.device_rate = self._open(audio.sample_rate, latency)
        if self.device_rate != audio.sample_rate:
            self._render = Resampler(audio.sample_rate, self.device_rate, audio.channels, render).take
        self._rise = max(1, round(_RISE_SECONDS * self.device_rate))
        self._risen = 0
        self.latency = float(self._stream.latency)
        try:
            self._stream.start()
        except _sounddevice().PortAudioError as error:
            self.close()
            raise DeviceError(self._sentence(error)) from error

    @property
    def ended(self) -> bool:
        """Whether the device is gone."""
        return self._ended

    @property
    def called_at(self) -> float | None:
        """``time.monotonic()`` when the device last asked for sound; None before it did."""
        return self._called_at

    def close(self) -> None:
        """Stops at once. A sound server that does not answer can hold this up for 30 s."""
        self._stream.close(ignore_errors=True)

    def _open(self, sample_rate: int, latency: float) -> tuple[Any, int]:
        sounddevice = _sounddevice()
        fault: Exception | None = None
        for rate in dict.fromkeys((sample_rate, self.device.sample_rate, 48000, 44100)):
            try:
                stream = sounddevice.OutputStream(
                    device=self.device.index,
                    channels=min(2, self.device.channels),
                    samplerate=rate,
                    latency=latency,
                    dtype="float32",
                    callback=self._called,
                    finished_callback=self._end,
                )
            except sounddevice.PortAudioError as error:
                fault = fault or error
            else:
                return stream, rate
        raise DeviceError(self._sentence(fault)) from fault

    def _end(self) -> None:
        self._ended = True

    def _sentence(self, error: Exception | None) -> str:
        return (
            f"the sound device {self.device.name!r} cannot be opened ({_reason(error)}): close other programs that use"
            " it, or choose another one"
        )

    def _called(self, out: NDArray[np.float32], count: int, _times: object, status: Any) -> None:
        self._called_at = time.monotonic()
        if status.output_underflow:
            self.underflows += 1
        try:
            samples = self._next(count)
        except (
            Exception
        ) as error:  # stored for the thread that watches this object: PortAudio's own would only print it
            self.failure = error
            raise _sounddevice().CallbackAbort from error
        out[:] = 0.0 if samples is None else for_device(samples, out.shape[1])

    def _next(self, count: int) -> NDArray[np.float32] | None:
        samples = self._render(count)
        if samples is None:
            self._risen = 0
            return None
        if self._risen < self._rise:
            steps = np.arange(self._risen + 1, self._risen + count + 1)
            samples = samples * np.minimum(steps / self._rise, 1.0).astype(np.float32)[:, None]
            self._risen += count
        return samples


def for_device(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Samples [N, C] for a device of another number of channels: float32 [N, channels], or [N, 1] to be repeated."""
    if channels >= samples.shape[1] > 1:
        return np.pad(samples, ((0, 0), (0, channels - samples.shape[1])))
    return downmix(samples)[:, None]


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise MissingExtraError("sounddevice", "kiosk") from error
    except OSError as error:
        raise DeviceError("the PortAudio library is not installed: run  sudo apt install libportaudio2") from error
    return sounddevice


def _quieten_alsa() -> None:
    """Stops ALSA from writing to standard error, where the log's limits do not apply; PortAudio reports errors anyway.

    The error handler is a C function that ignores its arguments, so that no Python code runs inside ALSA.
    """
    try:
        alsa, system = ctypes.CDLL("libasound.so.2"), ctypes.CDLL(None)
    except OSError:  # PortAudio can do without
        return
    alsa.snd_lib_error_set_handler(ctypes.cast(system.getpid, ctypes.c_void_p))


def _without_place(name: str) -> str:
    return _PLACE.sub("", name).strip()


def _reason(error: Exception | None) -> str:
    """PortAudio's words for an error, without its numbers."""
    return re.sub(r"\s*\[PaErrorCode.*", "", str(error)).removeprefix("Error opening OutputStream: ")
