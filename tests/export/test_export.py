"""Checkpoints become bundles that do what their models do, or nothing at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper
from torch import nn

from a2m_edge.bundle import Bundle, open_bundle
from a2m_edge.bundle.manifest import Tensor
from a2m_edge.cli import main
from a2m_edge.errors import BundleError, DeviceError, ExportError, OutputError
from a2m_edge.inference.agreement import cosines
from a2m_edge.ledger import claim
from a2m_edge.soundscape import Soundscape
from export import bundle_writer
from export.bed import loop
from export.bundle_writer import Companions, export_bundle, write_bundle
from export.graphs.export import NEWEST_OPSET, OPSET, TRACED, GraphPlan, export_graph, write_graph
from export.graphs.files import GraphFile, export_graphs
from export.graphs.plans import graph_plans, mel_decoder_plan, vocoder_plan
from export.models import Models, load_models
from export.proof.parity import LIMITS, Check, check_graph, check_tokens, open_graph, require, summary
from export.proof.utterances import difficult_texts, utterances
from export.proof.validation import validate_graphs
from tests.fixtures.places import CHECKPOINTS, ROOT, TINY_BUNDLE
from tests.fixtures.tiny_bundle.make import COMPOSER, LABEL, write_bed
from training.models.cropped_generator import CroppedGenerator
from training.models.fusion import Fusion, FusionConfig
from training.models.hifigan import CONFIGS, Generator
from training.models.mel_decoder import PaperDecoder, PaperDecoderConfig
from training.models.vocoders.architectures import ARCHITECTURES

GRAPHS = ("image_encoder", "text_encoder", "fusion", "mel_decoder", "vocoder")


@pytest.fixture
def bed(tmp_path: Path) -> Path:
    write_bed(tmp_path / "a-bed.wav")
    return tmp_path / "a-bed.wav"


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_equals_its_model_at_five_shapes_that_were_not_traced(name: str, graphs: dict[str, GraphFile]) -> None:
    plan = graphs[name].plan
    checks = check_graph(plan, graphs[name].full)
    require(checks)
    assert [entry.version for entry in onnx.load(graphs[name].full).opset_import] == [OPSET]
    assert len(set(plan.cases) - {TRACED}) >= 5
    assert 1 in [length for _, length in plan.cases]


@pytest.mark.parametrize(("batch", "frames"), [(1, 1), (2, 3), (1, 7), (5, 40)])
def test_a_vocoder_gives_exactly_a_hop_for_each_frame_within_its_context(
    batch: int, frames: int, tiny: Models, graphs: dict[str, GraphFile]
) -> None:
    context = tiny.cropped_vocoder.context
    mel, source = graphs["vocoder"].plan.sample(batch, frames, np.random.default_rng(0))
    assert mel.shape == (batch, 80, context + frames + context)
    waveform = open_graph(graphs["vocoder"].full).run(None, {"mel": mel, "excitation": source})[0]
    assert waveform.shape == (batch, 1, frames * 256)
    with torch.no_grad():
        whole = tiny.vocoder(torch.from_numpy(mel), torch.from_numpy(source)).numpy()
    np.testing.assert_allclose(waveform, whole[..., context * 256 : -context * 256], atol=1e-5)


@pytest.mark.parametrize("opset", [OPSET, NEWEST_OPSET])
def test_a_vocoder_crops_and_never_pads(opset: int, tiny: Models, graphs: dict[str, GraphFile]) -> None:
    model = onnx.load(graphs["vocoder"].full) if opset == OPSET else export_graph(vocoder_plan(tiny), opset)
    kinds = {node.op_type for node in model.graph.node}
    assert "Slice" in kinds
    assert not {"Pad", "Shape", "Gather"} & kinds, "every crop is the same at every length"
    pads = [list(entry.ints) for node in model.graph.node for entry in node.attribute if entry.name == "pads"]
    convolutions = [node.op_type for node in model.graph.node if node.op_type == "Conv"]
    assert sum(not any(each) for each in pads) >= len(convolutions)


def test_the_lstm_stays_one_node_a_layer_and_two_in_the_last(graphs: dict[str, GraphFile]) -> None:
    kinds = [node.op_type for node in onnx.load(graphs["mel_decoder"].full).graph.node]
    assert kinds.count("LSTM") == 3
    assert not {"Loop", "Scan"} & set(kinds)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_padding_changes_no_embedding(data: st.DataObject, tiny: Models, graphs: dict[str, GraphFile]) -> None:
    length = data.draw(st.integers(1, tiny.encoder.context_length))
    padding = data.draw(st.integers(0, tiny.encoder.context_length - length))
    tokens = data.draw(arrays(np.int64, (1, length), elements=st.integers(1, 400)))
    session = open_graph(graphs["text_encoder"].full)
    alone = session.run(None, {"tokens": tokens})[0]
    padded = session.run(None, {"tokens": np.pad(tokens, ((0, 0), (0, padding)))})[0]
    np.testing.assert_allclose(padded, alone, atol=1e-6)


def test_the_metadata_tells_what_a_lone_graph_needs(tiny: Models, graphs: dict[str, GraphFile]) -> None:
    facts = {entry.key: json.loads(entry.value) for entry in onnx.load(graphs["mel_decoder"].shipped).metadata_props}
    assert facts["audio"] == asdict(tiny.audio)
    assert facts["roles"] == list(tiny.roles)
    assert tiny.score
    assert facts["score"] == asdict(tiny.score)
    shipped = {entry.key: json.loads(entry.value) for entry in onnx.load(graphs["text_encoder"].shipped).metadata_props}
    assert shipped["text"] == {"context_length": 32, "pad_id": 0, "language": "en", "padded": False}


@pytest.mark.slow
def test_two_processes_write_the_same_bytes_without_their_paths(graphs: dict[str, GraphFile], tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from tests.fixtures.tiny_bundle.make import PRECISIONS, tiny_models\n"
        "from export.graphs.files import export_graphs\n"
        f"folder = Path({str(tmp_path)!r}); (folder / 'full').mkdir()\n"
        f"export_graphs(tiny_models(), folder, folder / 'full', PRECISIONS, only=['mel_decoder'])"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    content = graphs["mel_decoder"].shipped.read_bytes()
    assert content == (tmp_path / "mel_decoder.onnx").read_bytes()
    assert b"site-packages" not in content
    assert b".py" not in content


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
    )
    with pytest.raises(ExportError, match=r"vocoder\.onnx: torch cannot export"):
        export_graph(plan)


def test_all_failures_are_told_together_with_their_numbers(
    tiny: Models, graphs: dict[str, GraphFile], tmp_path: Path
) -> None:
    def louder(name: str) -> GraphFile:
        model = onnx.load(graphs[name].full)
        for item in model.graph.initializer:
            if item.data_type == onnx.TensorProto.FLOAT:
                item.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(item) * np.float32(1.2), item.name))
        write_graph(model, tmp_path / f"{name}.onnx")
        return replace(graphs[name], full=tmp_path / f"{name}.onnx")

    wrong = graphs | {name: louder(name) for name in ("mel_decoder", "fusion")}
    with pytest.raises(ExportError) as caught:
        require(validate_graphs(tiny, wrong))
    message = str(caught.value)
    assert "mel_decoder: difference of mel at fused[1, 33, 16]" in message
    assert "fusion: difference of fused" in message
    assert "image_encoder" not in message
    decoder = wrong["mel_decoder"]
    failures = [check for check in check_graph(decoder.plan, decoder.full) if not check.holds]
    assert len(failures) >= 5
    assert all(float(check.measured) > LIMITS["difference"] and str(check) in message for check in failures)


def test_other_names_or_axes_are_refused(graphs: dict[str, GraphFile]) -> None:
    image = graphs["image_encoder"]
    renamed = replace(image.plan, outputs=(Tensor("embedding", "float32", ("batch", 16)),))
    with pytest.raises(ExportError, match=r"outputs at load is image_embedding .* the limit is embedding"):
        require(check_graph(renamed, image.full))


@given(st.floats(allow_nan=True), st.floats(allow_nan=False), st.booleans())
def test_a_check_holds_by_its_numbers_alone(measured: float, limit: float, at_least: bool) -> None:
    check = Check("vocoder", "difference", "mel[1, 80, 1]", measured, limit, at_least)
    assert check.holds == (measured >= limit if at_least else measured <= limit)
    assert not (check.holds and np.isnan(measured))
    assert not Check("vocoder", "inputs", "load", "mel", "mel and more").holds


def test_large_weights_leave_the_graph_for_a_file_beside_it(graphs: dict[str, GraphFile], tmp_path: Path) -> None:
    decoder = graphs["mel_decoder"]
    data = write_graph(onnx.load(decoder.full), tmp_path / "mel_decoder.onnx", inline_limit=1000)
    assert data == ("mel_decoder.onnx.data",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mel_decoder.onnx", *data]
    assert (tmp_path / "mel_decoder.onnx").stat().st_size < decoder.full.stat().st_size / 2
    assert (tmp_path / data[0]).stat().st_mode == (tmp_path / "mel_decoder.onnx").stat().st_mode
    require(check_graph(decoder.plan, tmp_path / "mel_decoder.onnx"))


OPSETS = [
    pytest.param(opset, marks=[] if opset == NEWEST_OPSET else pytest.mark.slow)
    for opset in range(OPSET + 1, NEWEST_OPSET + 1)  # all else here is exported with the oldest
]


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_that_can_be_chosen(opset: int, tiny: Models, tmp_path: Path) -> None:
    plan = mel_decoder_plan(tiny)
    model = export_graph(plan, opset)
    assert [entry.version for entry in model.opset_import] == [opset]
    write_graph(model, tmp_path / plan.file)
    require(check_graph(plan, tmp_path / plan.file))


def test_the_published_decoder_exports_at_its_own_length(tiny: Models, tmp_path: Path) -> None:
    decoder = PaperDecoder(PaperDecoderConfig(fused_size=16, frames=862, hidden=8, layers=2)).eval()
    vocoder = Generator(CONFIGS["v3"]).eval()
    plan = mel_decoder_plan(replace(tiny, decoder=decoder, vocoder=vocoder))
    model = export_graph(plan)
    assert [node.op_type for node in model.graph.node].count("LSTM") == 2
    assert [len(tensor.type.tensor_type.shape.dim) for tensor in model.graph.input] == [2]
    write_graph(model, tmp_path / plan.file)
    require(check_graph(plan, tmp_path / plan.file))


@pytest.mark.parametrize("opset", [17, NEWEST_OPSET + 1])
def test_an_opset_that_cannot_be_chosen(opset: int, tiny: Models) -> None:
    with pytest.raises(ExportError, match=f"with opset {OPSET} to {NEWEST_OPSET}, not {opset}"):
        export_graph(vocoder_plan(tiny), opset)


class Drifting(CroppedGenerator):
    """A vocoder that exports something else than it computes."""

    def forward(self, mel: torch.Tensor, excitation: torch.Tensor | None = None) -> torch.Tensor:
        waveform = super().forward(mel, excitation)
        return waveform + 0.25 if torch.compiler.is_exporting() else waveform


def test_a_failed_export_leaves_the_bundle_that_was_there(
    tiny: Models, graphs: dict[str, GraphFile], tmp_path: Path, bed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export_the_vocoder(models: Models, shipped: Path, full: Path, *how: Any) -> dict[str, GraphFile]:
        return graphs | export_graphs(models, shipped, full, only=["vocoder"])

    monkeypatch.setattr(bundle_writer, "export_graphs", export_the_vocoder)
    drifting = replace(ARCHITECTURES["hifigan"], cropped=lambda generator, audio: Drifting(generator, audio.edge))
    monkeypatch.setitem(ARCHITECTURES, "hifigan", drifting)
    out = tmp_path / "bundle"
    shutil.copytree(TINY_BUNDLE, out)
    claim(out, force=True)
    before = open_bundle(out).hash
    with pytest.raises(
        ExportError,
        match=r"difference of waveform at mel\[1, 80, 11\] excitation\[1, 1, 2816\] is 0\.25, the limit is 0\.0001",
    ):
        export_bundle(replace(tiny), out, LABEL, Companions(COMPOSER, bed))
    assert open_bundle(out).hash == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-bed.wav", "bundle"]


def test_an_export_is_a_bundle_that_plays_and_replaces_the_old_one(
    tiny: Models, graphs: dict[str, GraphFile], tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    shutil.copytree(TINY_BUNDLE, out)
    with pytest.raises(OutputError, match="is not as a2m-edge wrote it"):
        write_bundle(tiny, graphs, out, LABEL, Companions(COMPOSER))
    claim(out, force=True)
    checks = validate_graphs(tiny, graphs)
    prepared: list[Bundle] = []
    bundle = write_bundle(
        tiny,
        graphs,
        out,
        replace(LABEL, name="played"),
        Companions(COMPOSER),
        checks=checks,
        measured={"figure": 0.5},
        prepare=prepared.append,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert open_bundle(out) == bundle
    assert bundle.manifest.name == "played"
    assert bundle.manifest.measured == {"figure": 0.5}
    assert bundle.manifest.parity["vocoder"] == summary(checks)["vocoder"]
    assert {name for name, graph in bundle.manifest.graphs.items() if graph.precision == "int8"} == {"text_encoder"}
    assert [ready.hash for ready in prepared] == [bundle.hash]
    soundscape = Soundscape(bundle)
    soundscape.hear("I feel calm")
    sound = np.concatenate([chunk.samples for chunk in soundscape.chunks(50)])
    assert 0.001 < sound.std() < 0.5


def test_a_bundle_may_be_refused_when_it_is_whole(
    tiny: Models, graphs: dict[str, GraphFile], tmp_path: Path, bed: Path
) -> None:
    def refuse(bundle: Bundle) -> None:
        raise DeviceError(f"{bundle.manifest.name} finds no GPU")

    with pytest.raises(DeviceError, match="tiny finds no GPU"):
        write_bundle(tiny, graphs, tmp_path / "bundle", LABEL, Companions(COMPOSER, bed), prepare=refuse)
    assert [path.name for path in tmp_path.iterdir()] == ["a-bed.wav"]


def test_a_bundle_of_a_graph_in_two_files_plays_and_its_weights_are_proven(
    tiny: Models, graphs: dict[str, GraphFile], tmp_path: Path, bed: Path
) -> None:
    apart = tmp_path / "vocoder.onnx"
    data = write_graph(onnx.load(graphs["vocoder"].full), apart, inline_limit=1000)
    description = replace(graphs["vocoder"].description, data=data)
    vocoder = replace(
        graphs["vocoder"], full=apart, shipped=apart, full_description=description, description=description
    )
    out = tmp_path / "bundle"
    bundle = write_bundle(tiny, graphs | {"vocoder": vocoder}, out, LABEL, Companions(COMPOSER, bed))
    assert bundle.manifest.graphs["vocoder"].data == ("vocoder.onnx.data",)
    soundscape = Soundscape(bundle)
    soundscape.hear("I feel calm")
    assert sum(chunk.frames for chunk in soundscape.chunks(40)) == 40
    weights = out / "vocoder.onnx.data"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(BundleError, match=r"vocoder\.onnx\.data was altered"):
        open_bundle(out)


@pytest.mark.parametrize("size", ["4k", "400k"])
def test_a_full_disk_leaves_nothing(
    tiny: Models, graphs: dict[str, GraphFile], tmp_path: Path, bed: Path, size: str
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small file system")
    try:
        with pytest.raises(OutputError, match="No space left on device"):
            write_bundle(tiny, graphs, small / "bundle", LABEL, Companions(COMPOSER, bed))
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_nothing_but_a_bundle_is_replaced(
    tiny: Models, graphs: dict[str, GraphFile], tmp_path: Path, bed: Path
) -> None:
    out = tmp_path / "precious"
    out.mkdir()
    (out / "diary.txt").write_text("mine")
    with pytest.raises(OutputError, match="is no bundle"):
        write_bundle(tiny, graphs, out, LABEL, Companions(COMPOSER, bed))
    assert (out / "diary.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("samples", "rate", "fault"),
    [
        (None, 22050, "cannot be read"),
        (np.full(100, 0.1), 44100, "44100 Hz and 1 channel, the bundle's sound 22050 Hz and 1 channel"),
        (np.full((100, 2), 0.1), 22050, "22050 Hz and 2 channels"),
        (np.zeros(100), 22050, "is silent"),
        (np.zeros(0), 22050, "is silent"),
        (np.full(100, np.nan), 22050, "what is no number"),
    ],
)
def test_a_bed_that_could_not_be_played_is_refused(
    tiny: Models,
    graphs: dict[str, GraphFile],
    tmp_path: Path,
    bed: Path,
    samples: np.ndarray | None,
    rate: int,
    fault: str,
) -> None:
    if samples is None:
        bed.write_bytes(b"no sound")
    else:
        soundfile.write(bed, samples, rate, subtype="FLOAT")
    with pytest.raises(BundleError, match=fault):
        write_bundle(tiny, graphs, tmp_path / "bundle", LABEL, Companions(COMPOSER, bed))
    assert list(tmp_path.iterdir()) == [bed]


def test_composers_tables_that_cannot_be_used_are_refused(
    tiny: Models, graphs: dict[str, GraphFile], tmp_path: Path, bed: Path
) -> None:
    tables = tmp_path / "tables.json"
    tables.write_text("{}")
    with pytest.raises(BundleError, match=r"tables\.json cannot be used"):
        write_bundle(tiny, graphs, tmp_path / "bundle", LABEL, Companions(tables, bed))
    with pytest.raises(ExportError, match=r"name a composer\.json"):
        write_bundle(tiny, graphs, tmp_path / "bundle", LABEL, Companions(None, bed))
    assert sorted(tmp_path.iterdir()) == [bed, tables]


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
    other = replace(tiny.audio, sample_rate=24000)
    with pytest.raises(ExportError, match=r"the decoder was trained on 22050 Hz .*, the vocoder on 24000 Hz"):
        replace(tiny, vocoder_format=other)
    for change in ({"hop": 512}, {"channels": 2}, {"mel_bands": 128}):
        wrong = replace(tiny.audio, **change)
        with pytest.raises(ExportError, match="that is not the sound format they state"):
            replace(tiny, decoder_format=wrong, vocoder_format=wrong)
    with pytest.raises(ExportError, match=r"embeddings of 16 values, the fusion takes 384"):
        replace(tiny, fusion=Fusion(FusionConfig(fused_size=16)))
    with pytest.raises(ExportError, match=r"the fusion gives 8 values, .* the decoder takes 16"):
        replace(tiny, fusion=Fusion(FusionConfig(embedding_size=16, fused_size=8)))


def test_tokens_equal_those_of_training(tiny: Models) -> None:
    texts = difficult_texts()
    tokenizer = tiny.bundle_tokenizer
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
    samples = np.sin(np.arange(2 * overlap + more, dtype=np.float32))[:, None] * np.array([1, -0.5], np.float32)
    looped = loop(samples, overlap)
    assert len(looped) == overlap + more
    np.testing.assert_array_equal(looped[overlap:], samples[overlap : overlap + more])
    # The first sample is nearly the one that followed the last in the original, for a long crossfade.
    assert np.abs(looped[0] - samples[len(looped)]).max() <= np.pi / 4 / overlap * 2


def committed() -> tuple[Models, Bundle]:
    """The committed checkpoints and the bundle that was made of them."""
    missing = [name for name in ("encoder", "fusion", "decoder", "vocoder") if not (CHECKPOINTS / name).is_dir()]
    if missing:
        pytest.skip(f"there are no checkpoints {', '.join(missing)} in {CHECKPOINTS}")
    encoder, fusion, decoder, vocoder, subjects = (
        CHECKPOINTS / name for name in ("encoder", "fusion", "decoder", "vocoder", "subjects")
    )
    models = load_models(encoder, fusion, decoder, vocoder, subjects if subjects.is_dir() else None)
    return models, open_bundle()


def test_the_default_bundle_does_what_its_checkpoints_do() -> None:
    models, bundle = committed()
    plans = {plan.name: plan for plan in graph_plans(models)}
    text = plans.pop("text_encoder")
    require(check for plan in plans.values() for check in check_graph(plan, bundle.file(plan.file).read_bytes()))
    tokenizer = models.bundle_tokenizer
    session = open_graph(bundle.file(text.file).read_bytes())
    found = [session.run(None, {"tokens": np.array([tokenizer.encode(text).ids])})[0] for text in utterances(100)]
    with torch.no_grad():
        expected = models.encoder.text(models.encoder.tokens(utterances(100))).numpy()
    assert cosines(np.concatenate(found), expected).mean() > 0.998
    assert sum(record.size for record in bundle.manifest.files.values()) < 96e6


def test_the_default_tokenizer_equals_that_of_transformers() -> None:
    models, _ = committed()
    transformers = pytest.importorskip("transformers")
    reference = transformers.PreTrainedTokenizerFast(tokenizer_file=str(CHECKPOINTS / "encoder" / "tokenizer.json"))

    def tokens(text: str) -> list[int]:
        ids: list[int] = reference(text, truncation=True, max_length=models.encoder.context_length).input_ids
        return ids

    require([check_tokens(tokens, models.bundle_tokenizer, difficult_texts())])
