"""Training the mel decoders: what a researcher runs, on clips small enough for a test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from a2m_edge.bundle.manifest import DecoderContext
from a2m_edge.errors import CheckpointError, DataError
from a2m_edge.score import ScoreLayout
from a2m_edge.sound.format import FORMATS, AudioFormat
from a2m_edge.sound.mel import SILENCE
from tests.fixtures.training.decoder_clips import SMALL, write_clips, write_pairs
from training.__main__ import main
from training.data.recordings.realised import Realisations, read_realisation
from training.losses import shimmer_loss, spectral_convergence
from training.models.mel_decoder import (
    MelDecoder,
    MelDecoderConfig,
    PaperDecoder,
    PaperDecoderConfig,
    decode_windows,
    load_mel_decoder,
)
from training.trainer import RunOptions
from training.trainers.decoder import edge_weights, train_decoder
from training.trainers.decoder_error import choose_context, relative_error
from training.trainers.paper_decoder import train_paper_decoder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See ``write_clips``."""
    folder = tmp_path_factory.mktemp("realisations")
    write_clips(folder)
    return folder


def train(clips: Path, out: Path, steps: int, resume: bool = False) -> None:
    options = RunOptions(out, steps, resume=resume, device="cpu", validate_every=1000)
    train_decoder(options, data=clips, config=SMALL, batch=6, frames=40, learning_rate=1e-2)


@pytest.mark.filterwarnings("ignore")
def test_training_learns_the_notes_and_chooses_its_context(clips: Path, tmp_path: Path) -> None:
    train(clips, tmp_path / "run", 80)
    model = load_mel_decoder(tmp_path / "run")
    assert isinstance(model, MelDecoder)
    document = json.loads((tmp_path / "run" / "config.json").read_text())
    errors = {(row["left"], row["right"]): row["mel_l1"] for row in document["measured_contexts"]}
    chosen = errors[model.config.left, model.config.right]
    assert chosen <= 1.02 * min(error for (left, right), error in errors.items() if left == right)
    assert chosen < 0.3, "predicting silence everywhere errs by 0.08 x 7 / 1.0 in nat and more"
    again = load_mel_decoder(tmp_path / "run")
    score = torch.rand(1, 30, SMALL.score_features)
    given = (torch.zeros(1, 30, 6), torch.zeros(1, 30, SMALL.palette_size), score)
    assert torch.equal(model(*given), again(*given))


class Neighbours(torch.nn.Module):
    """A decoder that hears a frame, the 3 before it and the 5 after it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, fused: Tensor, palette: Tensor, score: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(score, (0, 0, 3, 5))
        return self.scale * padded.unfold(1, 9, 1).sum(3).transpose(1, 2)


@pytest.mark.parametrize("frames", [1, 31, 32, 33, 100])
def test_windows_with_enough_context_equal_the_whole(frames: int) -> None:
    fused, palette, score = torch.rand(frames, 2), torch.rand(frames, 3), torch.rand(frames, 4)
    model = Neighbours()
    whole = model(fused[None], palette[None], score[None])[0]
    enough = decode_windows(model, fused, palette, score, DecoderContext(32, 3, 5))  # type: ignore[arg-type]
    assert enough.shape == (4, frames)
    assert torch.allclose(enough, whole, atol=1e-5)
    if frames > 32:
        short = decode_windows(model, fused, palette, score, DecoderContext(32, 2, 5))  # type: ignore[arg-type]
        assert not torch.allclose(short, whole, atol=1e-3)


def test_the_shortest_context_that_is_enough_is_chosen() -> None:
    torch.manual_seed(0)
    model = Neighbours()
    score = torch.rand(100, 4)
    mel = model(score[None], score[None], score[None])[0].detach()
    clip = (score, score, score, mel)
    context, table = choose_context(model, lambda: [clip], 32)  # type: ignore[arg-type]
    assert context == DecoderContext(32, 8, 8)
    assert [row["mel_l1"] < 1e-5 for row in table] == [row["left"] > 0 and row["right"] > 0 for row in table]


class Rememberer(Neighbours):
    """A decoder that hears a frame, and the 20 before it."""

    def forward(self, fused: Tensor, palette: Tensor, score: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(score, (0, 0, 20, 0))
        return self.scale * padded.unfold(1, 21, 1).sum(3).transpose(1, 2)


def test_a_context_is_no_longer_after_a_window_than_it_has_to_be() -> None:
    torch.manual_seed(0)
    model, score = Rememberer(), torch.rand(100, 4)
    clip = (score, score, score, model(score[None], score[None], score[None])[0].detach())
    context, table = choose_context(model, lambda: [clip], 32)  # type: ignore[arg-type]
    assert context == DecoderContext(32, 24, 0)
    assert {"left": 24, "right": 16}.items() <= table[-1].items()


def test_an_error_is_measured_beside_that_of_the_mean_frame() -> None:
    torch.manual_seed(0)
    model, score = Neighbours(), torch.rand(100, 4)
    clip = (score, score, score, model(score[None], score[None], score[None])[0].detach())
    context = DecoderContext(32, 8, 8)
    exact = relative_error(model, [clip], context)  # type: ignore[arg-type]
    assert exact["ratio"] < 1e-4 and exact["mean_frame_l1"] > 0.1


def test_one_frame_and_many_decode(clips: Path) -> None:
    model = MelDecoder(MelDecoderConfig()).eval()
    for frames in (1, 2, 65):
        mel = model(torch.zeros(2, frames, 256), torch.zeros(2, frames, 65), torch.zeros(2, frames, 704))
        assert mel.shape == (2, 80, frames) and torch.isfinite(mel).all()


def test_what_it_tells_of_its_shimmer_leaves_its_mel_alone() -> None:
    model = MelDecoder(SMALL)
    score = torch.rand(2, 30, SMALL.score_features)
    mel, shimmer = model.describe(torch.zeros(2, 30, 6), torch.zeros(2, 30, SMALL.palette_size), score)
    assert shimmer.shape == mel.shape and (shimmer > 0).all()
    shimmer_loss(shimmer, mel, torch.randn(mel.shape)).backward()
    moved = {name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert moved == {"shimmer.weight", "shimmer.bias"}


def test_spectral_convergence_is_the_share_of_the_magnitudes_that_is_off() -> None:
    mel = torch.randn(2, 80, 5)
    assert spectral_convergence(mel, mel) == 0
    assert spectral_convergence(mel + np.log(1.5), mel).item() == pytest.approx(0.5, abs=1e-5)
    loud = torch.full((1, 80, 5), -12.0)
    loud[:, 3], off = 1.0, torch.zeros(1, 80, 5)
    off[:, 40] = 3.0
    assert spectral_convergence(loud + off, loud) < 1e-3, "what is faint counts little"


def test_the_middle_of_a_window_counts_most() -> None:
    weights = edge_weights(80)
    assert weights.mean().item() == pytest.approx(1)
    assert (weights[16:64] == weights.max()).all() and (weights[:16] < weights.max()).all()
    assert torch.equal(weights, weights.flip(0))
    assert len(edge_weights(2)) == 2


def test_before_a_clip_it_is_silent_and_some_windows_begin_there(clips: Path) -> None:
    data, audio = Realisations(clips, "train", None, 6), FORMATS["22k-mono"]
    whole, begun = (data.window(0, first, 40, SMALL.layout, audio, 0) for first in (0, -30))
    assert np.all(begun[3][:, :30] == np.float32(SILENCE)) and not begun[2][:30].any()
    np.testing.assert_array_equal(begun[3][:, 30:], whole[3][:, :10])
    np.testing.assert_array_equal(begun[2][30:], whole[2][:10])
    mels = data.batch(400, 40, SMALL.layout, audio, np.random.default_rng(0))[3]
    silent = (mels[:, :, 0] == SILENCE).all(1).float().mean()
    assert 0.03 < silent < 0.1, "a sixteenth, about"


def test_clips_are_taken_from_all_of_the_order(clips: Path) -> None:
    data = Realisations(clips, "train", None, 6)
    names = [item.clip for item in data.items]
    data.take_evenly(3)
    assert [item.clip for item in data.items] == [names[0], names[round((len(names) - 1) / 2)], names[-1]]
    assert [file.stem.rsplit("_", 1)[0] for file in data.files] == [item.clip for item in data.items]


def test_the_pairs_that_feel_like_it_sounds_condition_their_clip(clips: Path, tmp_path: Path) -> None:
    vectors = np.arange(24, dtype=np.float32).reshape(4, 6)
    feelings = np.array([[0, -0.9], [0, 0.4], [0, 0.9], [0, -1]], np.float32)
    names = np.array(["clip0", "clip0", "clip0", "clip1"])
    np.savez(tmp_path / "fused.npz", clips=names, fused=vectors, feelings=feelings)
    data = Realisations(clips, "train", tmp_path / "fused.npz", 6)
    given = {data.items[number].clip: fused[0].numpy() for number, (fused, *_) in enumerate(data.clips(*_formats()))}
    np.testing.assert_array_equal(given["clip0"], vectors[1])
    np.testing.assert_array_equal(given["clip1"], vectors[3])
    np.testing.assert_array_equal(given["clip2"], vectors[1])
    zero = next(number for number, item in enumerate(data.items) if item.clip == "clip0")
    layout, audio = _formats()
    for choice in range(4):
        fused = data.window(zero, 0, 3, layout, audio, choice)[0]
        np.testing.assert_array_equal(fused, np.ones((3, 1)) * vectors[1])


def test_conditions_without_feelings_are_refused(clips: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "fused.npz", clips=np.array(["clip0"]), fused=np.zeros((1, 6), np.float32))
    with pytest.raises(DataError, match="data condition"):
        Realisations(clips, "train", tmp_path / "fused.npz", 6)


@pytest.mark.filterwarnings("ignore")
def test_a_decoder_trains_in_half_precision_where_it_is_asked_for(clips: Path, tmp_path: Path) -> None:
    command = ["decoder", "--data", str(clips), "--frames", "20", "--batch", "2", "--steps", "3", "--device", "cpu"]
    told = []
    for name, options in (("whole", []), ("half", ["--half-precision"])):
        with pytest.raises(SystemExit) as ended:
            main([*command, "-o", str(tmp_path / name), *options])
        assert ended.value.code == 0
        told.append(load_mel_decoder(tmp_path / name).state_dict())
    assert any(not torch.equal(told[0][name], told[1][name]) for name in told[0])


def _formats() -> tuple[ScoreLayout, AudioFormat]:
    return ScoreLayout(), FORMATS["22k-mono"]


@pytest.mark.filterwarnings("ignore")
def test_the_published_decoder_trains_on_the_same_clips(clips: Path, tmp_path: Path) -> None:
    write_pairs(tmp_path / "fused.npz")
    config = PaperDecoderConfig(frames=40, hidden=8, layers=1)
    options = RunOptions(tmp_path / "run", 5, device="cpu", validate_every=1000)
    train_paper_decoder(options, data=clips, fused=tmp_path / "fused.npz", config=config, batch=4)
    model = load_mel_decoder(tmp_path / "run")
    assert isinstance(model, PaperDecoder)
    assert model(torch.zeros(2, 6)).shape == (2, 80, 40)


def test_the_published_decoder_learns_from_the_pairs_of_its_own_clips_alone(clips: Path, tmp_path: Path) -> None:
    np.savez(
        tmp_path / "fused.npz",
        clips=np.array(["another clip"]),
        fused=np.ones((1, 6), np.float32),
        feelings=np.zeros((1, 2), np.float32),
    )
    assert all(len(pairs) for pairs in Realisations(clips, "train", tmp_path / "fused.npz", 6).pairs)
    assert not any(len(pairs) for pairs in Realisations(clips, "train", tmp_path / "fused.npz", 6, lent=False).pairs)
    options = RunOptions(tmp_path / "run", 5, device="cpu")
    with pytest.raises(DataError, match="build both from the same captions"):
        train_paper_decoder(options, data=clips, fused=tmp_path / "fused.npz", batch=4)


@pytest.mark.filterwarnings("ignore")
def test_a_smaller_one_of_the_published_kind_is_trained_by_a_command(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pairs(tmp_path / "fused.npz")
    command = ["decoder", "--data", str(clips), "--fused", str(tmp_path / "fused.npz"), "-o", str(tmp_path / "run")]
    sizes = ["--layers", "1", "--hidden", "8", "--frames", "20", "--batch", "4", "--steps", "2", "--device", "cpu"]
    with pytest.raises(SystemExit) as ended:
        main([*command, *sizes])
    assert ended.value.code == 2
    assert "--architecture paper" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*command, *sizes, "--architecture", "paper"])
    assert ended.value.code == 0
    model = load_mel_decoder(tmp_path / "run")
    assert (model.config.layers, model.config.hidden) == (1, 8)
    assert model(torch.zeros(1, 6)).shape == (1, 80, 20)


def test_the_published_sizes() -> None:
    config = PaperDecoderConfig()
    assert (config.frames, config.hidden, config.layers, config.mel_bands) == (862, 512, 4, 80)


@pytest.mark.parametrize("fault", ["packed badly", "encrypted", "packed in an unknown way"])
def test_a_clip_whose_archive_is_damaged_within_is_refused(clips: Path, tmp_path: Path, fault: str) -> None:
    with np.load(next((clips / "train").glob("*.npz"))) as stored:
        np.savez_compressed(tmp_path / "clip0_1.npz", **stored)
    content = bytearray((tmp_path / "clip0_1.npz").read_bytes())
    first, central = 30 + sum(content[26:30:2]), content.index(b"PK\x01\x02")  # bytes after the name; the directory
    if fault == "packed badly":
        content[first : first + 8] = b"\xff" * 8
    elif fault == "encrypted":
        content[6] |= 1
        content[central + 8] |= 1
    else:
        content[8] = content[central + 10] = 99
    (tmp_path / "clip0_1.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"clip0_1\.npz is damaged"):
        read_realisation(tmp_path / "clip0_1.npz")


def test_missing_and_damaged_clips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data build"):
        Realisations(tmp_path, "train", None, 6)
    (tmp_path / "broken_1.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match="damaged"):
        read_realisation(tmp_path / "broken_1.npz")


@pytest.mark.parametrize(
    "config", ["{}", '{"kind": "vocoder"}', '{"kind": "decoder", "architecture": "score", "x": 1}']
)
def test_a_config_that_is_no_decoder_is_refused(tmp_path: Path, config: str) -> None:
    from training.checkpoint import save_checkpoint

    save_checkpoint(tmp_path, MelDecoder(SMALL), SMALL.document())
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(CheckpointError):
        load_mel_decoder(tmp_path)
