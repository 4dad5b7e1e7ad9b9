"""The whole evaluation of a bundle: every row, everything that listens, one page and the same numbers beside it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2m_edge.bundle import Bundle
from a2m_edge.errors import encodable
from a2m_edge.sound.loudness import TARGET_LOUDNESS, normalise_loudness
from training.data.embeddings.feeling_set import FeelingTable
from training.data.tables.feelings import read_paintings
from training.evaluation.examples import ItemMaker, make_examples, mel_figures
from training.evaluation.feeling.pictures_alone import music_of_pictures_table, pictures_alone_table
from training.evaluation.feeling.steering import steering_table
from training.evaluation.feeling.tables import (
    Perceived,
    feeling_figures,
    feeling_table,
    measure_perception,
    painting_table,
    retrieval_table,
    sensitivity_table,
)
from training.evaluation.inputs import Inputs, Settings, check_fit, gather
from training.evaluation.languages.measures import PICTURES, LanguageMeasures, measure_languages
from training.evaluation.languages.tables import language_numbers, sign_table, translation_table
from training.evaluation.listening.fluidsynth_notes import FluidSynthNotes, note_table
from training.evaluation.listening.identity import FEWEST, Identity, identity_table, measure_identity
from training.evaluation.listening.reconstruction import reconstruction_table
from training.evaluation.listening.sound_tables import (
    AGREEING,
    Heard,
    agreement_table,
    comparison_table,
    diversity_table,
    felt_by_bundle,
    mode_agreements,
    mode_table,
)
from training.evaluation.listening.sounds_measured import Ears, Embedded, RowMeasures, RowMeter, WorkVectors
from training.evaluation.numbers import all_numbers
from training.evaluation.rating.items import RatingItem
from training.evaluation.report.model import Missing, Report, Table
from training.evaluation.rows.materials import mean_mel, recorded
from training.evaluation.rows.nearest import NearestTraining
from training.evaluation.rows.perceiving import BundlePerception
from training.evaluation.rows.rows import Rows, RowSource, Sounding, all_rows
from training.evaluation.statistics.agreement import PERMUTATIONS
from training.evaluation.statistics.diversity import Diversity, diversity
from training.evaluation.subjects import (
    SubjectMeasures,
    class_table,
    measure_subjects,
    subject_numbers,
    subject_table,
)

MOST_WORKS = 20
"""Works that are rendered with several seeds."""

Steps = Callable[[str, int | None], AbstractContextManager[Callable[[int, int], None]]]
"""Opens a step of the work by its name and its length (None where that is told later), and gives its progress."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        report: for readers.
        numbers: for machines and for ``a2m-edge export --measured``: ``{part: {name: number}}``, all finite.
        items: for ``a2m-edge evaluate rate``; none where they were not asked for.
    """

    report: Report
    numbers: dict[str, dict[str, float]]
    items: list[RatingItem]


def evaluate(bundle: Bundle, settings: Settings, steps: Steps) -> Evaluation:
    """Measures a bundle on material that training never saw.

    Everything that can be missing is looked for before the long work. One row is measured at a time, and its sounds
    are let go; so the memory does not grow with their number.

    Args:
        bundle: verified.
        settings: what and how.
        steps: shows the progress.

    Raises:
        A2MError: data, weights or a checkpoint are missing or not what they should be.
    """
    inputs = gather(bundle, settings)
    pairs, training, audio = inputs.pairs, inputs.training, bundle.manifest.audio
    rows = Rows(
        bundle,
        pairs,
        inputs.archive,
        settings.seconds,
        seed=settings.seed,
        device=settings.device,
        threads=settings.threads,
    )
    check_fit(rows, inputs, settings)

    perception = BundlePerception(bundle, settings.device, settings.threads)
    with steps("what the bundle feels", None) as progress:
        perceived = measure_perception(perception, settings.shared, settings.seed, progress)
    with steps("what the bundle sees", None) as progress:
        shown_subjects = measure_subjects(perception, settings.shared, progress)
    with steps("what the bundle understands", None) as progress:
        understood = _understood(perception, settings, inputs, progress)
    with steps("training pairs", None) as progress:
        nearest = NearestTraining(perception, inputs.archive, training, settings.cache, progress)
    clips = list(dict.fromkeys(pair.realisation for pair in training))
    with steps("training clips", len(clips)) as progress:
        known = _embedded(clips, rows, inputs.ears, progress)
    table = all_rows(
        rows,
        training=training,
        nearest=nearest,
        mean=mean_mel(clips, audio, rows.frames),
        vocoder=inputs.vocoder,
        paper=inputs.paper,
    )

    shown = pairs[: settings.examples]
    maker = None
    if inputs.tags is not None:
        maker = ItemMaker(pairs, inputs.archive, audio, inputs.ears, inputs.tags)
    works = WorkVectors.of(min(MOST_WORKS, len(pairs)))

    def also(row: RowSource, sounding: Sounding, even: Embedded) -> None:
        if row.key == "ours":
            if sounding.pair < len(works.embeddings):
                works.hear(sounding, inputs.ears, audio)
            if isinstance(inputs.fluidsynth, FluidSynthNotes):
                inputs.fluidsynth.hear(sounding)
        if maker is not None:
            maker.hear(row, sounding, even)

    meter = RowMeter(pairs, audio, rows.frames, inputs.ears, frozenset(pair.number for pair in shown), also)
    measured: dict[str, RowMeasures] = {}
    for row in table:
        if row.play is not None:
            with steps(row.title, len(pairs)) as progress:
                measured[row.key] = meter.measure(row, _told(row.play(), len(pairs), progress))
    several = _other_seeds(bundle, settings, inputs, works, steps)
    identity = _identity(bundle, settings, inputs, steps)

    name = inputs.ears.embedding.name, inputs.ears.embedding.seconds
    heard = Heard(table, measured, known, inputs.wanted, several, name, settings.seed)
    report = Report(
        f"Evaluation of {bundle.manifest.name}",
        _facts(bundle, settings, inputs, rows, len(clips)),
        [
            *_tables(heard, perceived, shown_subjects, inputs.fluidsynth, identity),
            sign_table(understood),
            translation_table(understood),
        ],
        [*feeling_figures(perceived), *mel_figures(shown, measured, audio)],
        make_examples(shown, measured, inputs.archive, audio),
    )
    numbers = all_numbers(heard, perceived, inputs.fluidsynth, identity)
    numbers |= subject_numbers(shown_subjects) | language_numbers(understood)
    return Evaluation(report, numbers, [] if maker is None else maker.items)


def _embedded(clips: Sequence[Path], rows: Rows, ears: Ears, progress: Callable[[int, int], None]) -> list[Embedded]:
    found, rate = [], rows.audio.sample_rate
    for done, clip in enumerate(clips):
        samples = recorded(clip, rows.audio, rows.frames).samples
        found.append(ears.embedding(normalise_loudness(samples, rate), rate))
        progress(done + 1, len(clips))
    return found


def _other_seeds(
    bundle: Bundle, settings: Settings, inputs: Inputs, works: WorkVectors, steps: Steps
) -> tuple[Diversity, Diversity] | None:
    """Diversity in the embedding and in the mels; None where one seed alone is rendered."""
    if settings.seeds < 2:
        return None
    some = inputs.pairs[: len(works.embeddings)]
    with steps("ours, other seeds", len(some) * (settings.seeds - 1)) as progress:
        for number in range(1, settings.seeds):
            # Pairs count on from the seed: the step keeps every soundscape's seed its own.
            seed = settings.seed + number * max(1000, len(inputs.pairs))
            rows = Rows(
                bundle,
                some,
                inputs.archive,
                settings.seconds,
                seed=seed,
                device=settings.device,
                threads=settings.threads,
            )
            for done, sounding in enumerate(rows.soundscape()):
                works.hear(sounding, inputs.ears, rows.audio)
                progress((number - 1) * len(some) + done + 1, len(some) * (settings.seeds - 1))
    embedded, statistics = (
        diversity([np.stack(work) for work in vectors], settings.seed)
        for vectors in (works.embeddings, works.statistics)
    )
    return embedded, statistics


def _understood(
    perception: BundlePerception, settings: Settings, inputs: Inputs, progress: Callable[[int, int], None]
) -> LanguageMeasures | Missing:
    data = settings.shared / "data"
    shown = perception.pictures(FeelingTable.read(data, "test").paintings[:PICTURES], inputs.archive)
    return measure_languages(perception, data, shown, settings.seed, progress)


def _identity(bundle: Bundle, settings: Settings, inputs: Inputs, steps: Steps) -> Identity | Missing:
    if inputs.listener is None:
        return Missing("was left out (--identity 0)")
    paintings = [each for each in read_paintings(settings.shared / "data") if each.split == "test"]
    count = min(settings.identity, len(paintings))
    if count < FEWEST:
        return Missing(f"cannot be measured: there are {len(paintings)} test paintings")
    drawn = np.sort(np.random.default_rng([61, settings.seed]).choice(len(paintings), count, replace=False))
    with steps("ours, paintings known again", 2 * count) as progress:
        return measure_identity(
            bundle,
            inputs.listener,
            [paintings[place] for place in drawn],
            inputs.archive,
            settings.identity_seconds,
            settings.seed,
            device=settings.device,
            threads=settings.threads,
            progress=progress,
        )


def _told(soundings: Iterable[Sounding], total: int, progress: Callable[[int, int], None]) -> Iterator[Sounding]:
    for done, sounding in enumerate(soundings):
        yield sounding
        progress(done + 1, total)


def _tables(
    heard: Heard,
    perceived: Perceived,
    shown: SubjectMeasures | Missing,
    fluidsynth: FluidSynthNotes | Missing,
    identity: Identity | Missing,
) -> list[Table]:
    note = (
        f"Heard from the audio alone. AudioSet's mood tags, z-scored over the {heard.reference.n} real held-out "
        f"sounds, are summed to valence and arousal. {PERMUTATIONS} permutations. On music with known labels these "
        "sums rank arousal with 0.59 to 0.69 and valence with 0.37 to 0.41 (Spearman): more cannot be expected."
    )
    return [
        comparison_table(heard),
        agreement_table(
            heard,
            "Feeling heard against the painting",
            f"Meant: the mean of what all of ArtEmis' annotators felt about the painting. {note}",
            dict.fromkeys(AGREEING, heard.intended.painting),
        ),
        agreement_table(
            heard,
            "Feeling heard against the comment",
            f"Meant: the emotion that goes with the pair's own comment. {note}",
            dict.fromkeys(AGREEING, heard.intended.comment),
        ),
        agreement_table(
            heard,
            "Feeling heard against what the bundle felt",
            f"Meant: valence and arousal that the bundle itself played, the exchanged ones too. {note}",
            felt_by_bundle(heard.measured),
        ),
        mode_table(mode_agreements(heard)),
        note_table(heard.measured["ours"], fluidsynth),
        diversity_table(heard),
        identity_table(identity),
        feeling_table(perceived),
        painting_table(perceived),
        pictures_alone_table(perceived.alone),
        music_of_pictures_table(perceived.alone),
        sensitivity_table(perceived),
        steering_table(perceived.steered),
        retrieval_table(perceived),
        subject_table(shown),
        class_table(shown),
        reconstruction_table(heard),
    ]


def _facts(bundle: Bundle, settings: Settings, inputs: Inputs, rows: Rows, clips: int) -> Mapping[str, str]:
    pairs, embedding = inputs.pairs, inputs.ears.embedding
    counts = inputs.wanted.annotators
    return {
        "Bundle": f"{bundle.manifest.name}, {bundle.hash}",
        "Held-out pairs": (
            f"{len(pairs)} of {len({pair.painting for pair in pairs})} paintings and "
            f"{len({pair.clip for pair in pairs})} clips (test split, disjoint from training by painting and by clip)"
        ),
        "Annotators": f"{counts.min()} to {counts.max()} a painting, {np.median(counts):g} in the middle",
        "Training pairs": f"{len(inputs.training)} with {clips} clips",
        "Sounds": f"{rows.seconds:.2f} s each, at {TARGET_LOUDNESS:g} LUFS before anything listens",
        "Embedding": f"{embedding.name}: {embedding.size} values for each window of {embedding.seconds:g} s",
        "Published configuration": "not given" if settings.paper is None else encodable(settings.paper.name),
        "Seed": f"{settings.seed}; {settings.seeds} of each work for the diversity",
        "Machine": (
            f"{platform.platform()}, {platform.machine()}, {os.cpu_count()} processors, "
            f"threads: {settings.threads or 'as many as ONNX Runtime takes'}, device: {settings.device}"
        ),
    }
