"""Music in, sound out: MIDI files played by FluidSynth."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from a2m_edge.errors import DataError
from a2m_edge.sound.mel import downmix

SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
"""Where Debian's package fluid-soundfont-gm (MIT licence) puts its General MIDI soundfont."""


def as_midi_file(timed: Iterable[tuple[float, mido.Message]]) -> mido.MidiFile:
    """Messages with their times in seconds as a MIDI file of one tick a millisecond.

    At equal times a note ends before another begins, and settings come before both.
    """
    rank = {"note_off": 1, "note_on": 2}
    file = mido.MidiFile(ticks_per_beat=500)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    now = 0
    for seconds, message in sorted(timed, key=lambda item: (item[0], rank.get(item[1].type, 0))):
        tick = max(now, round(1000 * seconds))
        track.append(message.copy(time=tick - now))
        now = tick
    return file


def render(
    file: mido.MidiFile, soundfont: Path, sample_rate: int, channels: int, room_size: float
) -> NDArray[np.float32]:
    """Plays a MIDI file with FluidSynth: float32 [N, channels], not normalised; one channel is the mean of both sides.

    Raises:
        DataError: FluidSynth or the soundfont is missing, or FluidSynth fails.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise DataError("FluidSynth is not installed: run  apt install fluidsynth fluid-soundfont-gm")
    if not soundfont.is_file():
        raise DataError(f"There is no soundfont {soundfont}: run  apt install fluid-soundfont-gm")
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder, "score.mid"), Path(folder, "sound.wav")
        file.save(score)
        options = ["-ni", "-q", "-F", str(sound), "-r", str(sample_rate), "-g", "0.6"]
        options += ["-o", "synth.dynamic-sample-loading=1"]  # reads only the instruments in use: starts much sooner
        options += ["-o", f"synth.reverb.room-size={room_size:.2f}", str(soundfont), str(score)]
        done = subprocess.run([program, *options], capture_output=True, text=True, check=False)
        if done.returncode or not sound.is_file():
            raise DataError(f"FluidSynth could not render a score: {done.stderr.strip()[-300:]}")
        samples, _ = soundfile.read(sound, dtype="float32", always_2d=True)
    return samples if channels == samples.shape[1] else downmix(samples)[:, None]
