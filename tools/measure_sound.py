"""Measures what many soundscapes sound like: the feeling and the mode that are heard, and faults of the sound.

    python -m tools.measure_sound --shared ../shared --works 200 --sounds out

Every soundscape is for one utterance of the test split, the emotions taken by turns. What was meant is what the bundle
felt; what is heard comes from networks that training never saw.
"""

from __future__ import annotations

import argparse
from itertools import zip_longest
from pathlib import Path

import numpy as np
import soundfile
from scipy.stats import spearmanr

from a2m_edge.bundle import open_bundle
from a2m_edge.composer.plan import MODES
from a2m_edge.impression.feeling import EMOTIONS
from a2m_edge.sound.loudness import normalise_loudness
from a2m_edge.soundscape import Soundscape
from training.data.tables.feelings import read_utterances
from training.evaluation.listening.heard_feeling import FeelingListener, FeelingReference, feelings
from training.evaluation.listening.heard_mode import heard_mode, mode_agreement
from training.evaluation.listening.sound_faults import Faults, find_faults
from training.evaluation.listening.transcription import Transcriber

SECONDS = 12.5


def utterances(data: Path, count: int) -> list[str]:
    """As many of the test split, the emotions by turns."""
    held = [one for one in read_utterances(data) if one.split == "test"]
    by_emotion = [[one.text for one in held if one.emotion == emotion] for emotion in range(len(EMOTIONS))]
    turns = [text for row in zip_longest(*by_emotion) for text in row if text is not None]
    return turns[:count]


def option_parser(description: str | None, works: int) -> argparse.ArgumentParser:
    """Options of a measurement that plays ``works`` utterances unless told otherwise."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--works", type=int, default=works)
    return parser


def main() -> None:
    parser = option_parser(__doc__, 200)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sounds", type=Path, help="folder to write twenty of them to")
    options = parser.parse_args()
    bundle = open_bundle(options.bundle)
    audio = bundle.manifest.audio
    models = Soundscape(bundle, device="cpu", threads=options.threads)
    listener = FeelingListener(options.shared / "weights")
    transcriber = Transcriber(options.shared / "weights" / "basic_pitch_nmp.onnx")
    heard, meant, modes, families, faults = [], [], [], [], []
    texts = utterances(options.shared / "data", options.works)
    for number, text in enumerate(texts):
        soundscape = models.again(number)
        feeling = soundscape.hear(text).feeling
        samples = np.concatenate([one.samples for one in soundscape.chunks(round(SECONDS * audio.frame_rate), 256)])
        samples = normalise_loudness(samples, audio.sample_rate)
        meant.append((feeling.valence, feeling.arousal))
        heard.append(listener.listen(samples, audio.sample_rate))
        modes.append(heard_mode(transcriber.onsets(samples)))
        families.append("major" if MODES[soundscape.score.beats[0].mode][2] == 4 else "minor")
        faults.append(find_faults(samples, audio.sample_rate, audio.frame_rate))
        if options.sounds and number % max(1, len(texts) // 20) == 0:
            options.sounds.mkdir(parents=True, exist_ok=True)
            name = f"{number:03d}_{feeling.word.replace(' ', '-')}_{feeling.valence:+.2f}_{feeling.arousal:+.2f}.wav"
            soundfile.write(options.sounds / name, samples, audio.sample_rate)
    found = feelings(heard, FeelingReference.of(heard))
    for name, side in (("valence", 0), ("arousal", 1)):
        told = spearmanr([one[side] for one in meant], found[side])
        print(
            f"{name} heard against meant, {len(texts)} soundscapes: Spearman {told.statistic:.3f}, p {told.pvalue:.1e}"
        )
    agreed = mode_agreement(modes, families)
    print(
        f"mode heard as meant: {agreed.accuracy:.3f} (chance {agreed.chance:.3f}, p {agreed.p:.4f}), "
        f"{agreed.unheard} unheard"
    )
    for name in Faults.__dataclass_fields__:
        values = [getattr(one, name) for one in faults]
        low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
        print(f"{name}: {middle:.2f} ({low:.2f} to {high:.2f}), largest {max(values):.2f}")


if __name__ == "__main__":
    main()
