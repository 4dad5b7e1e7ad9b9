"""A run over a collection: what is missing or changed is rendered, the rest stays, and all of it is listed."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from a2m_edge.bundle import open_bundle
from a2m_edge.collection.comparing import COMPARISONS, content_now, stamp_of
from a2m_edge.collection.contrast import Contrast, contrast_within
from a2m_edge.collection.iiif.annotations import annotation_names
from a2m_edge.collection.iiif.fetching import is_address
from a2m_edge.collection.index import CONTRASTS, TABLE, Index, Record, work_hash, write_table
from a2m_edge.collection.items import Item
from a2m_edge.collection.publishing import check_annotations, publish_annotations, publish_contact_sheet
from a2m_edge.collection.sheet.page import NAME as PAGE
from a2m_edge.collection.sheet.page import thumbnail_name
from a2m_edge.collection.storage.folders import SOUNDS, Storage
from a2m_edge.collection.storage.places import is_remote, local_path, open_storage
from a2m_edge.collection.worker import RenderOptions, RenderWork
from a2m_edge.errors import OptionError, OutputError
from a2m_edge.inference.devices import DEVICES
from a2m_edge.jobs.stopping import Stopping
from a2m_edge.jobs.work import Runner
from a2m_edge.output import require_seen
from a2m_edge.sound.files import sound_format
from a2m_edge.version import __version__


@dataclass(frozen=True)
class RunSettings:
    """How a collection is rendered.

    Attributes:
        output: folder for all results, made where it is missing; or an address that fsspec knows.
        runner: does the rendering.
        sound_format: name of a ``SoundFormat``.
        bundle: folder of the bundle, or None for the one that is installed.
        device: as in ``a2m_edge.inference.sessions.open_session``.
        fail_fast: whether the first failure ends the run.
        contact_sheet: whether a page with all works is written.
        iiif_annotations: address under which ``output`` will be served, for IIIF annotations; None for none.
        title: of the page.
        source: file that the works come from, which must stay; None where it is none.
        force: whether files may be replaced that this program did not write.
        compare: how pictures are compared with those of an earlier run, of ``COMPARISONS``.
        contrast: what they are compared with to be felt, of ``CONTRASTS``.
    """

    output: str = field(repr=False)
    runner: Runner
    sound_format: str = "flac"
    bundle: Path | None = None
    device: str = "cpu"
    fail_fast: bool = False
    contact_sheet: bool = False
    iiif_annotations: str | None = None
    title: str = "Collection"
    source: Path | None = None
    force: bool = False
    compare: str = "hash"
    contrast: str = "paintings"


@dataclass
class Summary:
    """What a run did.

    Attributes:
        works: in the source.
        kept: whose sound was there already.
        rendered: whose sound was made.
        failed: records of those that could not be rendered.
        remarked: records of those that were rendered, with a remark.
        left: works that were not begun, because the run was stopped.
        sound_seconds: duration of the sounds made.
        elapsed: seconds that took.
        signal: that stopped the run, or None.
        table: name of the index as a table.
    """

    works: int = 0
    kept: int = 0
    rendered: int = 0
    failed: list[Record] = field(default_factory=list)
    remarked: list[Record] = field(default_factory=list)
    left: int = 0
    sound_seconds: float = 0.0
    elapsed: float = 0.0
    signal: int | None = None
    table: str = TABLE


class Watcher(Protocol):
    """Is told how a run goes on."""

    def planned(self, kept: int, items: Sequence[Item]) -> None:
        """So many works are done already, and these are to be rendered."""

    def done(self, record: Record) -> None:
        """A work was rendered, or failed."""

    def says(self, message: str) -> None:
        """A sentence for the user."""


def render_collection(items: Sequence[Item], settings: RunSettings, watcher: Watcher) -> Summary:
    """Renders what is missing or has changed, and writes the index and what was wished for beside it.

    Killed at any moment, the run loses at most the works in hand and leaves no half-written file; the next run goes
    on where it stopped. The first Ctrl-C, or SIGTERM, ends it after the works in hand, the second at once.

    Args:
        items: works with different ids.
        settings: for all of them.
        watcher: is told.

    Raises:
        OptionError: a setting is out of its range.
        OutputError: the folder cannot be used, another run uses it, something is there that this program did not
            write, or the disk is full.
        BundleError, DeviceError, MissingExtraError: the models cannot be used here.
        KeyboardInterrupt: at the second Ctrl-C.
    """
    kind = sound_format(settings.sound_format)
    if settings.device not in DEVICES:
        raise OptionError(f"there is no device {settings.device!r}: choose {', '.join(DEVICES)}")
    if settings.compare not in COMPARISONS:
        raise OptionError(f"--compare is {settings.compare!r}: choose {' or '.join(COMPARISONS)}")
    if settings.contrast not in CONTRASTS:
        raise OptionError(f"--contrast is {settings.contrast!r}: choose {' or '.join(CONTRASTS)}")
    if settings.iiif_annotations is not None:
        check_annotations(items, settings.iiif_annotations)
    bundle = open_bundle(settings.bundle)
    place = settings.output if is_remote(settings.output) else str(local_path(settings.output).absolute())
    storage = open_storage(place)
    options = RenderOptions(
        place,
        kind.name,
        None if settings.bundle is None else str(settings.bundle.absolute()),
        bundle.hash,
        settings.device,
        # Elsewhere than in a folder they are made at the end, when the page is.
        thumbnails=settings.contact_sheet and storage.folder is not None,
    )
    summary = Summary(works=len(items))
    begun = time.monotonic()
    with storage.held(), Index(storage, settings.source) as index, Stopping(watcher.says) as stopping:
        contrast = Contrast()
        if settings.contrast == "within":
            contrast = contrast_within(
                items, index, options, bundle, settings.runner, settings.compare, stopping.begun, watcher.says
            )
        if contrast.tables is not None:
            options = dataclasses.replace(options, tables=contrast.tables.to_json())
        todo, contrasted = _plan(items, index, options, storage, settings.compare, stopping)
        if contrasted:
            watcher.says(_why(contrasted, settings.contrast))
        if index.unreadable:
            watcher.says(
                f"{index.unreadable:,} lines of the index in {storage.place} are damaged; "
                "their works are rendered again"
            )
        summary.kept = len(items) - len(todo)
        summary.table = _claim(items, todo, index, options, storage, settings)
        if summary.table != TABLE:
            watcher.says(f"{TABLE} in {storage.place} is not a2m-edge's: the table goes to {summary.table}")
        watcher.planned(summary.kept, todo)
        try:
            _render(todo, index, options, contrast, storage, settings, stopping, summary, watcher)
        except OutputError as error:
            done = summary.kept + summary.rendered
            raise OutputError(f"{error}; {done:,} works are done: the same command goes on from there") from error
        summary.elapsed = time.monotonic() - begun
        summary.left = len(todo) - summary.rendered - len(summary.failed)
        summary.signal = stopping.number
        write_table(storage, [index.latest[each.id] for each in items if each.id in index.latest], summary.table)
        if stopping.number is None:
            made = f"a2m-edge {__version__}, {bundle.manifest.name} {bundle.manifest.version}"
            if contrast.tables is not None:
                made += ", its works contrasted with each other"
            _publish(items, index, storage, settings, made)
    return summary


def _render(
    todo: Sequence[Item],
    index: Index,
    options: RenderOptions,
    contrast: Contrast,
    storage: Storage,
    settings: RunSettings,
    stopping: Stopping,
    summary: Summary,
    watcher: Watcher,
) -> None:
    # Known failures cost no worker; among the rest the longest come first, so that no core waits long at the end.
    known = (Record.begin(item).failed(item.problem) for item in todo if item.problem is not None)
    unknown = sorted((item for item in todo if item.problem is None), key=lambda item: -item.seconds)

    def enough() -> bool:
        return stopping.begun() or (settings.fail_fast and bool(summary.failed))

    def records() -> Generator[Record, None, None]:
        yield from known
        yield from settings.runner.run(unknown, RenderWork(options), enough)

    with contextlib.closing(records()) as done:
        for record in done:
            if record.sound is not None and storage.folder is not None:
                require_seen(storage.folder / record.sound, storage.folder)
            index.add(dataclasses.replace(record, measured=contrast.measured.get(record.id)))
            if record.error is None:
                summary.rendered += 1
                summary.sound_seconds += record.seconds
                if record.notice is not None:
                    summary.remarked.append(record)
            else:
                summary.failed.append(record)
            watcher.done(record)


def _claim(
    items: Sequence[Item],
    todo: Sequence[Item],
    index: Index,
    options: RenderOptions,
    storage: Storage,
    settings: RunSettings,
) -> str:
    """Makes sure that all that is to be written may be, before anything is; gives the name of the table."""
    sounds = {item.id: f"{SOUNDS}/{item.id}.{options.sound_format}" for item in todo if item.problem is None}
    known = {identity: index.latest[identity] for identity in sounds if identity in index.latest}
    written = {
        record.sound: (record.size, record.sha256)
        for record in known.values()
        if record.sound is not None and record.sha256 is not None
    }
    table = storage.free_name(TABLE, settings.source, settings.force)
    names = [table, *sounds.values()]
    if settings.contact_sheet:
        names += [PAGE, *(thumbnail_name(item.id) for item in items)]
    if settings.iiif_annotations is not None:
        names += annotation_names(item.id for item in items)
    sources = [Path(item.image) for item in items if item.image is not None and not is_address(item.image)]
    if settings.source is not None:
        sources.append(settings.source)
    storage.claim(names, written, sources, settings.force)
    return table


def _publish(items: Sequence[Item], index: Index, storage: Storage, settings: RunSettings, made: str) -> None:
    if not settings.contact_sheet and settings.iiif_annotations is None:
        return
    with storage.made_folder() as folder:
        if settings.contact_sheet:
            publish_contact_sheet(folder, items, index.latest, title=settings.title, made=made)
        if settings.iiif_annotations is not None:
            publish_annotations(folder, items, index.latest, settings.iiif_annotations)


def _plan(
    items: Sequence[Item],
    index: Index,
    options: RenderOptions,
    storage: Storage,
    compare: str,
    stopping: Stopping,
) -> tuple[list[Item], list[Record]]:
    """The works that must be rendered; the other columns of the rest are brought up to date in the index.

    Returns:
        the works, and what is known of those among them for which nothing but their contrast has changed.
    """
    todo, contrasted = [], []
    for item in items:
        previous = index.latest.get(item.id)
        if previous is None or stopping.begun():
            todo.append(item)
            continue
        change = _change(previous, item, options, storage, compare)
        if change is not None:
            todo.append(item)
            if change == "contrast":
                contrasted.append(previous)
            continue
        fresh = Record.begin(item)
        now = dataclasses.replace(
            previous,
            image=fresh.image,
            comment=fresh.comment,
            stamp=stamp_of(item),
            carried=fresh.carried,
        )
        if now != previous:
            index.add(now)
    return todo, contrasted


def _change(
    previous: Record, item: Item, options: RenderOptions, storage: Storage, compare: str
) -> Literal["contrast", "other"] | None:
    """Why the sound of an earlier run is not what this run would make; None where it is, and is whole."""
    if item.problem is not None or previous.error is not None or previous.sound is None or previous.sha256 is None:
        return "other"
    if previous.sound != f"{SOUNDS}/{item.id}.{options.sound_format}" or not storage.has(
        previous.sound, previous.size, previous.sha256
    ):
        return "other"
    try:
        picture = content_now(item, previous, compare)
    except (OSError, ValueError):
        return "other"

    def made_with(tables: str | None) -> bool:
        return previous.work == work_hash(item, picture, options.bundle_hash, options.sound_format, tables)

    if made_with(options.contrast_tables):
        return None
    return "contrast" if made_with(previous.contrast_tables) else "other"


def _why(contrasted: Sequence[Record], contrast: str) -> str:
    """Says why works are made again of which nothing else has changed."""
    if contrast == "paintings":
        reason = "with all paintings, and were with each other"
    elif all(record.contrast_tables is None for record in contrasted):
        reason = "with each other, and were with all paintings"
    else:
        reason = "with each other, and the collection has changed"
    works = "1 work is" if len(contrasted) == 1 else f"{len(contrasted):,} works are"
    return f"{works} made again, since works are contrasted {reason}"
