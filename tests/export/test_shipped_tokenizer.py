"""The tokenizer of the default bundle cuts every text as the one does that its text encoder was trained with."""

from __future__ import annotations

import random

import pytest
from tokenizers import Tokenizer

pytest.importorskip("torch", reason="the training extra is not installed")

from a2m_edge.bundle import open_bundle
from a2m_edge.perception.preprocessing import fit_tokenizer
from training.commands.options import CHECKPOINTS
from training.data.languages.tables import read_comments
from training.models.encoders import load_encoder

SCRIPTS = {
    "Latin": [*range(0x41, 0x5B), *range(0x61, 0x7B), *range(0xC0, 0x180)],
    "Greek": range(0x391, 0x3CA),
    "Cyrillic": range(0x400, 0x460),
    "Hebrew": range(0x5B0, 0x5EB),
    "Arabic": range(0x610, 0x66A),
    "Devanagari": range(0x904, 0x950),
    "kana": [*range(0x3041, 0x3097), *range(0x30A1, 0x30FB)],
    "Chinese": range(0x4E00, 0x9FA0),
    "Korean": range(0xAC00, 0xD7A4),
    "emoji": [*range(0x2600, 0x27C0), *range(0x1F300, 0x1F650), *range(0x1F900, 0x1FA00), 0x200D, 0xFE0F, 0x1F3FD],
    "signs": [*range(0x20, 0x41), *range(0x2010, 0x2040), 0xA0, 0x3001, 0x3002, 0xFF01, 0x9, 0xA],
    "anything": [*range(0x1, 0xD800), *range(0xE000, 0x30000)],
}


def strings(count: int) -> list[str]:
    """Texts of one script, of several, and of characters of any kind in any order."""
    rng = random.Random(21)
    made = []
    for _ in range(count):
        scripts = rng.sample(sorted(SCRIPTS), rng.choice((1, 1, 2, 3)))
        signs = [chr(rng.choice(SCRIPTS[rng.choice(scripts)])) for _ in range(rng.choice((1, 3, 12, 60, 400)))]
        spaced = [f"{sign} " if rng.random() < 0.15 else sign for sign in signs]
        made.append("".join(spaced))
    return made


def test_both_cut_ten_thousand_texts_alike() -> None:
    encoder, bundle = load_encoder(CHECKPOINTS / "encoder"), open_bundle()
    shipped = Tokenizer.from_file(str(bundle.file("tokenizer.json")))
    fit_tokenizer(shipped, bundle.manifest.text)
    texts = [*strings(10_000), *(one.text for one in read_comments()[::7])]
    for text, ours in zip(texts, shipped.encode_batch(texts), strict=True):
        theirs = encoder.tokens([text])[0].tolist()
        assert ours.ids == theirs, ascii(text)
        assert len(ours.ids) <= bundle.manifest.text.context_length
