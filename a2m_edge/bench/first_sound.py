"""A process that plays: ``python -m a2m_edge.bench.first_sound BUNDLE THREADS [SECONDS]``.

It looks at a picture and writes a byte when it has its first chunk. With seconds it hears a comment too, and plays on.
"""

import sys
from pathlib import Path

from a2m_edge.bench.stages import COMMENT, picture
from a2m_edge.bundle import open_bundle
from a2m_edge.soundscape import Soundscape


def main() -> None:
    """Opens and proves the bundle, perceives, and plays."""
    bundle = open_bundle(Path(sys.argv[1]))
    soundscape = Soundscape(bundle, device="cpu", threads=int(sys.argv[2]))
    soundscape.see(picture())
    if len(sys.argv) > 3:
        soundscape.hear(COMMENT)
    next(soundscape.chunks(None))
    sys.stdout.write(".")
    sys.stdout.flush()
    if len(sys.argv) > 3:
        for _ in soundscape.chunks(round(float(sys.argv[3]) * bundle.manifest.audio.frame_rate)):
            pass


if __name__ == "__main__":
    main()
