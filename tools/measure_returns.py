"""Measures whether ten minutes of one work ever return to themselves.

    python -m tools.measure_returns --minutes 10 --works 3

Passages of ten seconds are held against every other place of the same sound, 0.98 being as good as the same.
"""

from __future__ import annotations

import numpy as np

from a2m_edge.bundle import open_bundle
from a2m_edge.sound.mel import log_mel
from a2m_edge.soundscape import Soundscape
from tools.measure_sound import option_parser, utterances
from training.evaluation.composer.returns import returns


def main() -> None:
    parser = option_parser(__doc__, 3)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    bundle = open_bundle(options.bundle)
    audio = bundle.manifest.audio
    models = Soundscape(bundle, device="cpu", threads=1)
    for number, text in enumerate(utterances(options.shared / "data", options.works)):
        soundscape = models.again(number)
        feeling = soundscape.hear(text).feeling
        frames = round(60 * options.minutes * audio.frame_rate)
        samples = np.concatenate([one.samples for one in soundscape.chunks(frames, 256)])
        found = returns(log_mel(samples, audio), round(10 * audio.frame_rate), round(10 * audio.frame_rate))
        seconds = len(samples) / audio.sample_rate
        print(
            f"{feeling.word} ({feeling.valence:+.2f}, {feeling.arousal:+.2f}), {seconds:.0f} s: "
            f"likeness to another place {np.median(found):.3f} in the median, {found.max():.3f} at most"
        )


if __name__ == "__main__":
    main()
