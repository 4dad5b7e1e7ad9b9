"""All embeddings that the fusion learns from and is judged on, made by any runner: ``a2m-edge data embed``."""

from __future__ import annotations

from pathlib import Path

from training.data.embeddings.feeling_set import PAINTINGS, PHOTOGRAPHS, FeelingTable, feelings_file, write_feelings
from training.data.embeddings.shards import EmbeddingShards, picture_blocks, text_blocks
from training.data.pairs.articaps import SPLITS
from training.jobs import JobRunner


def extract_feelings(encoder: str | Path, data: Path, out: Path, runner: JobRunner) -> dict[str, int]:
    """Embeds ArtEmis' utterances, the paintings they are about, and OASIS' photographs.

    Writes ``feelings-<split>.npz`` for ``training.data.embeddings.feeling_set.embed_feelings``, put together from the
    files in ``embeddings/``, which are kept so that only what has changed is embedded by the next call.

    Args:
        encoder: what ``load_encoder`` takes, with trained weights.
        data: folder of ``artemis.csv``, ``paintings.zip``, ``oasis.zip`` and their tables.
        out: folder to write.
        runner: does the jobs.

    Returns:
        how many utterances and pictures there are.

    Raises:
        CheckpointError, MissingExtraError: the encoder cannot be loaded.
        DataError: a table or an archive is missing or damaged; or blocks were lost, and all others are done.
        OutputError: a file cannot be written.
        SystemExit, KeyboardInterrupt: stopped by a signal; see ``JobRunner.run``.
    """
    tables = {split: FeelingTable.read(data, split) for split in SPLITS}
    texts = {split: text_blocks(table.words) for split, table in tables.items()}
    images = {split: picture_blocks(data / PAINTINGS, table.paintings) for split, table in tables.items()}
    photographs = {split: picture_blocks(data / PHOTOGRAPHS, table.photographs) for split, table in tables.items()}
    shards = EmbeddingShards(encoder, out / "embeddings", runner)
    # The longest come first, so that no process waits long at the end.
    every = [block for blocks in (texts, images, photographs) for some in blocks.values() for block in some]
    shards.make(every, "blocks of texts and pictures")
    for split, table in tables.items():
        embedded = table.embedded(
            shards.joined(texts[split]), shards.joined(images[split]), shards.joined(photographs[split])
        )
        write_feelings(feelings_file(out, split), embedded, shards.fingerprint.whole)
    return {
        "utterances": sum(len(table.words) for table in tables.values()),
        "pictures": sum(len(table.paintings) + len(table.photographs) for table in tables.values()),
    }
