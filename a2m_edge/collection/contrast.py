"""The works of a collection contrasted with each other: all are looked at before the first is rendered.

Beside all paintings a room of portraits is one portrait many times. Within itself each is the lightest or the darkest,
the calmest or the most excited of them.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import cv2
import numpy as np

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import PICTURES
from a2m_edge.collection.comparing import content_now
from a2m_edge.collection.index import Index, Measured, Record, look_hash
from a2m_edge.collection.items import Item
from a2m_edge.collection.worker import Prepared, RenderOptions, RenderWork, open_same_bundle
from a2m_edge.errors import OptionError
from a2m_edge.impression.cues import Cues
from a2m_edge.jobs.work import Runner, Work
from a2m_edge.perception.encoders import Encoders, Sight
from a2m_edge.perception.painting import measure
from a2m_edge.perception.picture_tables import PictureTables


@dataclass(frozen=True)
class Contrast:
    """What is known of a collection before it is rendered.

    Attributes:
        tables: of its pictures as a whole; None where they are contrasted with all paintings.
        measured: of each picture that could be looked at, by the id of its work.
    """

    tables: PictureTables | None = None
    measured: dict[str, Measured] = field(default_factory=dict)


def contrast_within(
    items: Sequence[Item],
    index: Index,
    options: RenderOptions,
    bundle: Bundle,
    runner: Runner,
    compare: str,
    stopping: Callable[[], bool],
    says: Callable[[str], None],
) -> Contrast:
    """Looks at every picture of a collection; at those of an earlier run only where they have changed.

    Args:
        items: all works.
        index: of earlier runs.
        options: of the run.
        bundle: of the run.
        runner: does the looking.
        compare: of ``COMPARISONS``.
        stopping: from when it is true nothing new is looked at.
        says: tells the user a sentence.

    Raises:
        OptionError: the bundle knows nothing of paintings, so that there is nothing to begin from.
        BundleError, DeviceError, MissingExtraError: the models cannot be used here.
    """
    if PICTURES not in bundle.manifest.files:
        raise OptionError(
            f"--contrast within begins from what a bundle knows of paintings, and {bundle.manifest.name} has no "
            f"{PICTURES}: leave the option out, or choose a bundle that has it"
        )
    measured: dict[str, Measured] = {}
    unseen = []
    for item in items:
        if item.image is None or item.problem is not None:
            continue
        known = _known(item, index.latest.get(item.id), bundle.hash, compare)
        if known is None:
            unseen.append(item)
        else:
            measured[item.id] = known
    if unseen:
        pictures = "1 picture is" if len(unseen) == 1 else f"{len(unseen):,} pictures are"
        says(f"{pictures} looked at before any work is rendered, since the works are contrasted with each other")
    looks = runner.run(unseen, LookWork(options), stopping)
    measured |= {identity: look for identity, look in looks if look is not None}
    told = list(measured.values())
    tables = PictureTables.read(bundle.file(PICTURES)).within(
        [Cues(**{name: each.cues.get(name, float("nan")) for name in Cues.names()}) for each in told],
        [each.valence for each in told],
        [each.arousal for each in told],
    )
    return Contrast(tables, measured)


@dataclass(frozen=True)
class LookWork(Work[Item, tuple[str, Measured | None]]):
    """Looks at the picture of a work. The answer is its id and what was measured: nothing, where it could not be read,
    which is told when it is rendered."""

    options: RenderOptions

    @property
    def wants_gpu(self) -> bool:  # type: ignore[override]
        """As the options say."""
        return self.options.device != "cpu"

    def start(self) -> None:
        """Loads the encoders."""
        _encoders(self.options)

    def prepare(self, job: Item) -> Prepared | Record:
        """Fetches and reads the picture."""
        return RenderWork(self.options).prepare(job)

    def perform(self, prepared: Prepared | Record) -> tuple[str, Measured | None]:
        """Looks at it."""
        if isinstance(prepared, Record) or prepared.picture is None or prepared.record.input is None:
            return (prepared if isinstance(prepared, Record) else prepared.record).id, None
        item, encoders = prepared.item, _encoders(self.options)
        with contextlib.suppress(MemoryError, OSError, cv2.error, ValueError, RuntimeError):  # of this picture alone
            told = encoders.feel(Sight(encoders.image(prepared.picture)), None).feeling
            cues = {name: value for name, value in asdict(measure(prepared.picture)).items() if not np.isnan(value)}
            of = look_hash(item, prepared.record.input, self.options.bundle_hash)
            return item.id, Measured(of, told.valence, told.arousal, cues)
        return item.id, None

    def lost(self, job: Item, ending: str) -> tuple[str, Measured | None]:
        """Leaves the picture out."""
        return job.id, None


@functools.lru_cache(maxsize=1)
def _encoders(options: RenderOptions) -> Encoders:
    """Encoders that tell what is felt before it is spread, kept for the life of this process."""
    return Encoders(open_same_bundle(options), options.device, options.threads, PictureTables())


def _known(item: Item, previous: Record | None, bundle: str, compare: str) -> Measured | None:
    """What an earlier run measured, if it would be the same now."""
    if previous is None or previous.measured is None:
        return None
    with contextlib.suppress(OSError, ValueError):
        picture = content_now(item, previous, compare)
        if picture and previous.measured.of == look_hash(item, picture, bundle):
            return previous.measured
    return None
