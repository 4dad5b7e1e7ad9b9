"""What a reader sees and hears of single works: players, mel-spectrograms, and items to be rated."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from a2m_edge.errors import DataError, MissingExtraError
from a2m_edge.impression.feeling import EMOTIONS, INSTRUMENTS
from a2m_edge.sound.format import AudioFormat
from a2m_edge.sound.loudness import normalise_loudness
from a2m_edge.sound.mel import log_mel
from training.data.tables.feelings import Picture, PictureArchive
from training.evaluation.listening.heard_mode import heard_mode
from training.evaluation.listening.sound_embedding import OnnxEmbedding
from training.evaluation.listening.sound_entry import EFFICIENTAT
from training.evaluation.listening.sounds_measured import Ears, RowMeasures
from training.evaluation.rating.items import RatingItem
from training.evaluation.report.model import Example, Figure, Sound
from training.evaluation.rows.materials import Pair
from training.evaluation.rows.rows import RowSource, Sounding

HEARD_IN_EXAMPLES = ("real", "ours", "ours_shuffled", "paper")
DRAWN = ("real", "ours", "reconstruction")
RATED = ("ours", "ours_shuffled")

LARGEST_SIDE = 512
MOST_DRAWN = 2
STRONGEST_TAGS = 5

_GENERAL = ("Music", "Musical instrument")
"""Tags that say nothing."""


def thumbnail(archive: PictureArchive, picture: Picture) -> bytes:
    """A picture as a JPEG of at most ``LARGEST_SIDE`` pixels a side.

    Raises:
        DataError: the picture is missing or cannot be read.
    """
    image = archive.whole(picture)
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=85)
    return content.getvalue()


def title_of(picture: Picture) -> str:
    """A painting's title, artist and style in words."""
    words = picture.caption.removeprefix("a painting: ")
    return words[:1].upper() + words[1:] or picture.file


def make_examples(
    pairs: Sequence[Pair], measured: Mapping[str, RowMeasures], archive: PictureArchive, audio: AudioFormat
) -> list[Example]:
    """The works of pairs whose sounds were kept, each with the rows of ``HEARD_IN_EXAMPLES``, at equal loudness."""
    found = []
    for pair in pairs:
        sounds = [
            Sound(
                row.row.title, normalise_loudness(row.kept[pair.number].samples, audio.sample_rate), audio.sample_rate
            )
            for key in HEARD_IN_EXAMPLES
            if (row := measured.get(key)) is not None
        ]
        feeling = measured["ours"].kept[pair.number].feeling
        note = f"The annotator felt {EMOTIONS[pair.emotion]}."
        if feeling is not None:
            note += f" The bundle feels {feeling.word}, valence {feeling.valence:+.2f}, arousal {feeling.arousal:+.2f}."
        found.append(Example(title_of(pair.picture), pair.utterance, thumbnail(archive, pair.picture), sounds, note))
    return found


def mel_figures(pairs: Sequence[Pair], measured: Mapping[str, RowMeasures], audio: AudioFormat) -> list[Figure]:
    """Mel-spectrograms of the first pairs whose sounds were kept: real, ours, and ours given the real score.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figures = []
    for pair in pairs[:MOST_DRAWN]:
        rows = [row for key in DRAWN if (row := measured.get(key)) is not None]
        mels = {}
        for row in rows:
            sounding = row.kept[pair.number]
            mels[row.row.title] = log_mel(sounding.samples, audio) if sounding.mel is None else sounding.mel
        title = title_of(pair.picture)
        note = f"Natural-log mels, from the top: {'; '.join(mels)}. The comment: {pair.utterance}"
        figures.append(Figure(f"Mel-spectrograms: {title}", mel_picture(mels, audio), note))
    return figures


def mel_picture(mels: Mapping[str, NDArray[np.float32]], audio: AudioFormat) -> bytes:
    """Natural-log mels [bands, T] by their titles, one above the other, as a PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", "train") from error
    canvas = Canvas(figsize=(8.4, 1.9 * len(mels) + 0.4), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(canvas)
    panels = canvas.subplots(len(mels), 1, squeeze=False, sharex=True)[:, 0]
    image = None
    for axes, (title, mel) in zip(panels, mels.items(), strict=True):
        extent = (0.0, audio.seconds(mel.shape[1]), 0.0, float(len(mel)))
        image = axes.imshow(mel, origin="lower", aspect="auto", cmap="magma", vmin=-11.5, vmax=1.5, extent=extent)
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_ylabel("mel band")
    panels[-1].set_xlabel("seconds")
    if image is not None:
        canvas.colorbar(image, ax=list(panels), fraction=0.03, pad=0.01, label="natural log of magnitude")
    content = io.BytesIO()
    canvas.savefig(content, format="png", metadata={"Software": None})  # the same figures give the same bytes
    return content.getvalue()


class Tags:
    """AudioSet's tags of a sound, strongest first.

    Args:
        weights: the folder with EfficientAT and its table of class names.

    Raises:
        DataError: a file is missing or is not what it should be.
    """

    def __init__(self, weights: Path) -> None:
        self._network = OnnxEmbedding(weights / "efficientat_mn04.onnx", replace(EFFICIENTAT, output="logits"))
        table = weights / "efficientat_mn04_class_labels.csv"
        try:
            with table.open(encoding="utf-8", newline="") as lines:
                self._names = [row["display_name"] for row in csv.DictReader(lines)]
        except (OSError, KeyError, UnicodeError, csv.Error) as error:
            raise DataError(f"{table} is no table of class names ({error}): fetch it again") from error

    def __call__(self, samples: NDArray[np.float32], rate: int) -> list[str]:
        """The ``STRONGEST_TAGS`` strongest, those that any music has left out."""
        order = np.argsort(-self._network(samples, rate).mean(0), kind="stable")
        return [name for row in order if (name := self._names[row]) not in _GENERAL][:STRONGEST_TAGS]


@dataclass
class ItemMaker:
    """Describes music in words for ``a2m-edge evaluate rate``, without a word about who made it.

    Attributes:
        pairs: the works.
        archive: their pictures.
        audio: of the sounds.
        ears, tags: what hears the sounds.
        items: made so far.
    """

    pairs: Sequence[Pair]
    archive: PictureArchive
    audio: AudioFormat
    ears: Ears
    tags: Tags
    items: list[RatingItem] = field(default_factory=list)

    def hear(self, row: RowSource, sounding: Sounding, even: NDArray[np.float32]) -> None:
        """Makes an item of a sounding, brought to equal loudness, if its row is rated."""
        if row.key not in RATED:
            return
        pair = self.pairs[sounding.pair]
        rate = self.audio.sample_rate
        heard = heard_mode(self.ears.onsets(even, rate)) if sounding.mode is None else None
        mode = sounding.mode if heard is None else heard.mode
        music = music_in_words(sounding, len(sounding.samples) / rate, mode, self.tags(even, rate))
        picture = thumbnail(self.archive, pair.picture)
        self.items.append(RatingItem(row.key, title_of(pair.picture), pair.utterance, music, picture))


def music_in_words(sounding: Sounding, seconds: float, mode: str | None, tags: Sequence[str]) -> str:
    """Instruments, density, mode, dynamics, register and tags of a sound, in a few sentences.

    Args:
        sounding: what is described.
        seconds: its length.
        mode: of the music, or None where it is not known.
        tags: AudioSet's, strongest first.
    """
    said = []
    if sounding.casting is not None:
        playing = Counter(note.role for note in sounding.notes)
        names = list(INSTRUMENTS)
        players = [names[sounding.casting.instruments[role]] for role, _ in playing.most_common()]
        if players:
            said.append(f"Instruments: {', '.join(dict.fromkeys(players))}.")
    if sounding.notes:
        density = len(sounding.notes) / seconds
        speed = "sparse" if density < 2 else "moderate" if density < 5 else "busy"
        velocity = float(np.mean([note.velocity for note in sounding.notes]))
        force = "soft" if velocity < 0.5 else "medium" if velocity < 0.65 else "loud"
        pitch = float(np.mean([note.pitch for note in sounding.notes]))
        place = "low" if pitch < 52 else "middle" if pitch < 66 else "high"
        length = float(np.median([note.seconds for note in sounding.notes]))
        said.append(f"Pace: {speed}, {density:.1f} notes a second; notes last {length:.2f} s.")
        said.append(f"Dynamics: {force}. Register: {place}.")
    if mode is not None:
        said.append(f"Mode: {mode}.")
    if tags:
        said.append(f"Heard by a tagger: {', '.join(tags)}.")
    return " ".join(said)
