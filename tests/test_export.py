"""Checkpoints become bundles that do what their models do, or nothing at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper
from torch import nn

from a2m_edge.bundle import Bundle, Tensor, open_bundle
from a2m_edge.cli import main
from a2m_edge.errors import ExportError, OutputError
from a2m_edge.soundscape import Soundscape
from export.bed import loop
from export.bundle_writer import Graphs, bundle_tokenizer, export_graphs, validate_graphs, write_bundle
from export.graphs import TRACED, GraphPlan, export_graph, graph_bytes
from export.models import Models, load_models
from export.parity import LIMITS, check_graph, check_quantised, check_tokens, cosines, open_graph, require, summary
from export.plans import graph_plans, vocoder_plan
from export.quantisation import quantise, quantise_text_encoder
from export.utterances import difficult_texts, utterances
from tests.tiny_bundle.make import COMPOSER, LABEL, tiny_models, write_bed
from training.models.fusion import Fusion, FusionConfig
from training.models.hifigan import Generator

ROOT = Path(__file__).parents[1]
CHECKPOINTS = ROOT / "training" / "checkpoints"
GRAPHS = ("image_encoder", "text_encoder", "fusion", "mel_decoder", "vocoder")


@pytest.fixture(scope="module")
def tiny() -> Models:
    return tiny_models()


@pytest.fixture(scope="module")
def graphs(tiny: Models) -> Graphs:
    return export_graphs(tiny)


@pytest.fixture
def bed(tmp_path: Path) -> Path:
    write_bed(tmp_path / "a-bed.wav")
    return tmp_path / "a-bed.wav"


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_equals_its_model_at_five_shapes_that_were_not_traced(name: str, graphs: Graphs) -> None:
    plan = next(plan for plan in graphs.plans if plan.name == name)
    checks = check_graph(plan, graph_bytes(graphs.full[name]))
    require(checks)
    assert len(set(plan.cases) - {TRACED}) >= 5
    assert 1 in [length for _, length in plan.cases]


@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (2, 3), (1, 7), (5, 40)])
def test_a_vocoder_gives_exactly_a_hop_for_each_frame(batch: int, frames: int, graphs: Graphs) -> None:
    mel = np.zeros((batch, 80, frames), np.float32)
    given = {"mel": mel, "excitation": np.zeros((batch, 1, frames * 256), np.float32)}
    waveform = open_graph(graph_bytes(graphs.full["vocoder"])).run(None, given)[0]
    assert waveform.shape == (batch, 1, frames * 256)


def test_the_lstm_stays_one_node_a_layer(graphs: Graphs) -> None:
    kinds = [node.op_type for node in graphs.full["mel_decoder"].graph.node]
    assert kinds.count("LSTM") == 2
    assert not {"Loop", "Scan"} & set(kinds)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_padding_changes_no_embedding(data: st.DataObject, tiny: Models, graphs: Graphs) -> None:
    length = data.draw(st.integers(1, tiny.encoder.context_length))
    padding = data.draw(st.integers(0, tiny.encoder.context_length - length))
    tokens = data.draw(arrays(np.int64, (1, length), elements=st.integers(1, 400)))
    session = open_graph(graph_bytes(graphs.full["text_encoder"]))
    alone = session.run(None, {"tokens": tokens})[0]
    padded = session.run(None, {"tokens": np.pad(tokens, ((0, 0), (0, padding)))})[0]
    np.testing.assert_allclose(padded, alone, atol=1e-6)


def test_the_metadata_tells_what_a_lone_graph_needs(tiny: Models, graphs: Graphs) -> None:
    facts = {entry.key: json.loads(entry.value) for entry in graphs.full["mel_decoder"].metadata_props}
    assert facts["audio"] == asdict(tiny.audio)
    assert facts["roles"] == list(tiny.roles)
    assert facts["score"] == asdict(tiny.score)
    shipped = {entry.key: json.loads(entry.value) for entry in graphs.shipped["text_encoder"].metadata_props}
    assert shipped["text"] == {"context_length": 32, "pad_id": 0, "language": "en", "padded": False}


def test_two_processes_write_the_same_bytes_without_their_paths(graphs: Graphs) -> None:
    code = (
        "import hashlib; from tests.tiny_bundle.make import tiny_models\n"
        "from export.bundle_writer import export_graphs; from export.graphs import graph_bytes\n"
        "shipped = export_graphs(tiny_models()).shipped\n"
        "print('\\n'.join(f'{name} {hashlib.sha256(graph_bytes(shipped[name])).hexdigest()}' for name in shipped))"
    )
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    contents = {name: graph_bytes(graph) for name, graph in graphs.shipped.items()}
    assert dict(line.split() for line in other.stdout.splitlines()) == {
        name: hashlib.sha256(content).hexdigest() for name, content in contents.items()
    }
    assert not any(b"site-packages" in content or b".py" in content for content in contents.values())


def test_a_model_that_fixes_its_length_is_refused() -> None:
    class Fixed(nn.Module):
        def forward(self, mel: torch.Tensor) -> torch.Tensor:
            return mel + torch.arange(TRACED[1])

    def sample(batch: int, length: int, generator: np.random.Generator) -> tuple[np.ndarray]:
        return (generator.standard_normal((batch, 4, length), np.float32),)

    shape = ("batch", 4, "frames")
    plan = GraphPlan(
        "vocoder",
        Fixed(),
        (Tensor("mel", "float32", shape),),
        (Tensor("waveform", "float32", shape),),
        sample,
        ((1, 1),),
        "difference",
    )
    with pytest.raises(ExportError, match=r"vocoder\.onnx: torch cannot export"):
        export_graph(plan)


def test_all_failures_are_told_together_with_their_numbers(tiny: Models, graphs: Graphs) -> None:
    def shifted(name: str) -> onnx.ModelProto:
        graph = onnx.ModelProto()
        graph.CopyFrom(graphs.full[name])
        for item in graph.graph.initializer:
            if item.data_type == onnx.TensorProto.FLOAT:
                item.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(item) * np.float32(1.2), item.name))
        return graph

    wrong = replace(graphs, full={**graphs.full, "mel_decoder": shifted("mel_decoder"), "fusion": shifted("fusion")})
    with pytest.raises(ExportError) as caught:
        require(validate_graphs(tiny, wrong))
    message = str(caught.value)
    assert "mel_decoder: difference of mel at fused[1, 1, 16]" in message
    assert "fusion: difference of fused" in message
    assert "image_encoder" not in message
    failures = [
        check for check in check_graph(wrong.plans[3], graph_bytes(wrong.full["mel_decoder"])) if not check.holds
    ]
    assert len(failures) >= 5
    assert all(float(check.measured) > LIMITS["difference"] and str(check) in message for check in failures)


def test_other_names_or_axes_are_refused(graphs: Graphs) -> None:
    renamed = replace(graphs.plans[0], outputs=(Tensor("embedding", "float32", ("batch", 16)),))
    with pytest.raises(ExportError, match=r"outputs at load is image_embedding .* the limit is embedding"):
        require(check_graph(renamed, graph_bytes(graphs.full["image_encoder"])))


class Drifting(Generator):
    """A vocoder that exports something else than it computes."""

    def forward(self, mel: torch.Tensor, excitation: torch.Tensor | None = None) -> torch.Tensor:
        waveform = super().forward(mel, excitation)
        return waveform + 0.25 if torch.compiler.is_exporting() else waveform


def test_a_failed_export_leaves_the_bundle_that_was_there(
    tiny: Models, graphs: Graphs, tmp_path: Path, bed: Path
) -> None:
    drifting = Drifting(tiny.vocoder.config)
    drifting.load_state_dict(tiny.vocoder.state_dict())
    vocoder = export_graph(vocoder_plan(replace(tiny, vocoder=drifting)))
    graphs = replace(graphs, full={**graphs.full, "vocoder": vocoder})
    out = tmp_path / "bundle"
    shutil.copytree(ROOT / "tests" / "tiny_bundle" / "bundle", out)
    before = open_bundle(out).hash
    with pytest.raises(
        ExportError,
        match=r"difference of waveform at mel\[1, 80, 1\] excitation\[1, 1, 256\] is 0\.25, the limit is 0\.0001",
    ):
        write_bundle(tiny, graphs, COMPOSER, out, LABEL, bed=bed)
    assert open_bundle(out).hash == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-bed.wav", "bundle"]


def test_an_export_is_a_bundle_that_plays_and_replaces_the_old_one(
    tiny: Models, graphs: Graphs, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    shutil.copytree(ROOT / "tests" / "tiny_bundle" / "bundle", out)
    label = replace(LABEL, name="played")
    bundle, checks = write_bundle(tiny, graphs, COMPOSER, out, label, measured={"figure": 0.5})
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert open_bundle(out) == bundle
    assert bundle.manifest.name == "played"
    assert bundle.manifest.measured == {"figure": 0.5}
    assert bundle.manifest.parity["vocoder"] == summary(checks)["vocoder"]
    soundscape = Soundscape(bundle)
    soundscape.hear("I feel calm")
    sound = np.concatenate([chunk.samples for chunk in soundscape.chunks(50)])
    assert 0.001 < sound.std() < 0.5


def test_nothing_but_a_bundle_is_replaced(tiny: Models, graphs: Graphs, tmp_path: Path, bed: Path) -> None:
    out = tmp_path / "precious"
    out.mkdir()
    (out / "diary.txt").write_text("mine")
    with pytest.raises(OutputError, match="is no bundle"):
        write_bundle(tiny, graphs, COMPOSER, out, LABEL, bed=bed)
    assert (out / "diary.txt").read_text() == "mine"


def test_missing_checkpoints_end_with_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card.md"
    card.write_text("# card\n")
    out = tmp_path / "bundle"
    with pytest.raises(SystemExit) as caught:
        main(["export", "-o", str(out), "--fusion", str(tmp_path / "none"), "--model-card", str(card)])
    assert caught.value.code == 2
    assert "there is no checkpoint in" in capsys.readouterr().err
    assert not out.exists()


def test_models_that_do_not_fit_together_are_refused(tiny: Models) -> None:
    with pytest.raises(ExportError, match="the audio format says 512"):
        replace(tiny, audio=replace(tiny.audio, hop=512))
    with pytest.raises(ExportError, match=r"embeddings of 16 values, the fusion takes 384"):
        replace(tiny, fusion=Fusion(FusionConfig(fused_size=16)))
    with pytest.raises(ExportError, match=r"the fusion gives 8 values, .* the decoder takes 16"):
        replace(tiny, fusion=Fusion(FusionConfig(embedding_size=16, fused_size=8)))


@given(arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(-100, 100, width=16)))
def test_rounding_to_int8_moves_no_weight_by_more_than_half_a_step(matrix: np.ndarray) -> None:
    for axis in (0, 1):
        integers, scales = quantise(matrix, axis)
        steps = np.expand_dims(scales, 1 - axis)
        assert integers.dtype == np.int8
        assert np.all(np.abs(integers * steps - matrix) <= steps * 0.5001)


def test_the_int8_text_encoder_is_small_and_loses_little(tiny: Models, graphs: Graphs) -> None:
    full, shipped = (graph_bytes(version["text_encoder"]) for version in (graphs.full, graphs.shipped))
    mean, least = check_quantised(full, shipped, bundle_tokenizer(tiny), utterances(200))
    assert float(mean.measured) > 0.999
    assert float(least.measured) > 0.99
    types = {item.data_type for item in graphs.shipped["text_encoder"].graph.initializer if len(item.dims) == 2}
    assert onnx.TensorProto.INT8 in types
    assert len(shipped) < len(full) / 2


def test_a_text_encoder_without_word_embeddings_cannot_be_quantised(graphs: Graphs) -> None:
    with pytest.raises(ExportError, match="no table of word embeddings"):
        quantise_text_encoder(graphs.full["vocoder"])


def test_tokens_equal_those_of_training(tiny: Models) -> None:
    texts = difficult_texts()
    tokenizer = bundle_tokenizer(tiny)
    assert len(texts) == 1000
    require([check_tokens(lambda text: tiny.encoder.tokens([text])[0].tolist(), tokenizer, texts)])
    lengths = [len(tokenizer.encode(text).ids) for text in texts]
    assert min(lengths) >= 2
    assert max(lengths) == tiny.encoder.context_length
    unlike = check_tokens(lambda text: [1, 2], tokenizer, texts)
    assert not unlike.holds
    assert float(unlike.measured) > 900


@given(st.integers(1, 50), st.integers(0, 100))
def test_a_loop_runs_on_into_its_beginning(overlap: int, more: int) -> None:
    samples = np.sin(np.arange(2 * overlap + more, dtype=np.float32))
    looped = loop(samples, overlap)
    assert len(looped) == overlap + more
    np.testing.assert_array_equal(looped[overlap:], samples[overlap : overlap + more])
    # The first sample is nearly the one that followed the last in the original, for a long crossfade.
    assert abs(looped[0] - samples[len(looped)]) <= np.pi / 4 / overlap * 2


def committed() -> tuple[Models, Bundle]:
    """The committed checkpoints and the bundle that was made of them."""
    missing = [name for name in ("encoder", "fusion", "decoder", "vocoder") if not (CHECKPOINTS / name).is_dir()]
    if missing:
        pytest.skip(f"there are no checkpoints {', '.join(missing)} in {CHECKPOINTS}")
    models = load_models(*(CHECKPOINTS / name for name in ("encoder", "fusion", "decoder", "vocoder")))
    return models, open_bundle()


def test_the_default_bundle_does_what_its_checkpoints_do() -> None:
    models, bundle = committed()
    plans = {plan.name: plan for plan in graph_plans(models)}
    text = plans.pop("text_encoder")
    require(check for plan in plans.values() for check in check_graph(plan, bundle.file(plan.file).read_bytes()))
    tokenizer = bundle_tokenizer(models)
    session = open_graph(bundle.file(text.file).read_bytes())
    found = [session.run(None, {"tokens": np.array([tokenizer.encode(text).ids])})[0] for text in utterances(100)]
    with torch.no_grad():
        expected = models.encoder.text(models.encoder.tokens(utterances(100))).numpy()
    assert cosines(np.concatenate(found), expected).mean() > 0.998
    assert sum(record.size for record in bundle.manifest.files.values()) < 64e6


def test_the_default_tokenizer_equals_that_of_transformers() -> None:
    models, _ = committed()
    transformers = pytest.importorskip("transformers")
    reference = transformers.PreTrainedTokenizerFast(tokenizer_file=str(CHECKPOINTS / "encoder" / "tokenizer.json"))

    def tokens(text: str) -> list[int]:
        ids: list[int] = reference(text, truncation=True, max_length=models.encoder.context_length).input_ids
        return ids

    require([check_tokens(tokens, bundle_tokenizer(models), difficult_texts())])
