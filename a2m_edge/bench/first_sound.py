"""A process that plays one chunk: ``python -m a2m_edge.bench.first_sound BUNDLE THREADS`` writes a byte when it has."""

import sys
from pathlib import Path

from a2m_edge.bench.stages import picture
from a2m_edge.bundle import open_bundle
from a2m_edge.soundscape import Soundscape


def main() -> None:
    """Opens and proves the bundle, looks at a picture, and plays."""
    soundscape = Soundscape(open_bundle(Path(sys.argv[1])), device="cpu", threads=int(sys.argv[2]))
    soundscape.see(picture())
    next(soundscape.chunks(None))
    sys.stdout.write(".")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
