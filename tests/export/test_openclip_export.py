"""Every kind of OpenCLIP encoder loads, exports and tokenises as open_clip itself does, without a network."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn

from a2m_edge.bundle import Bundle, seal_bundle
from a2m_edge.bundle.manifest import Graph
from a2m_edge.errors import CheckpointError
from a2m_edge.inference.agreement import cosines
from a2m_edge.perception.encoders import Encoders
from export.graphs.export import OPSET, TRACED, GraphPlan, export_graph, graph_bytes, write_graph
from export.graphs.plans import image_encoder_plan, text_encoder_plan
from export.models import Models
from export.proof.parity import check_graph, check_tokens, require, run_module
from export.proof.utterances import difficult_texts, utterances
from tests.export.conftest import Once
from tests.fixtures.places import ROOT
from tests.fixtures.tiny_bundle.make import EMBEDDING, FUSED, byte_tokenizer, tiny_models
from training.models.encoder_model import EncoderModel
from training.models.encoders import load_encoder
from training.models.fusion import Fusion, FusionConfig
from training.torchvision_guard import import_open_clip

CLIP_TEXT = {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VIT = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
TIMM = {"timm_model_name": "test_vit2", "timm_pool": "avg", "timm_proj": "linear", "image_size": 64}
ROBERTA = {
    "model_type": "roberta", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "vocab_size": 600, "max_position_embeddings": 40, "pad_token_id": 1,
}  # fmt: skip

KINDS: dict[str, dict[str, Any]] = {
    # A small member of each family, of the same classes: as ViT-B-32, ...
    "classic": {"vision_cfg": VIT, "text_cfg": CLIP_TEXT},
    # ... RN50-quickgelu, ...
    "resnet": {
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64},
        "text_cfg": CLIP_TEXT,
        "quick_gelu": True,
    },
    # ... MobileCLIP-S1, ...
    "mobile": {
        "vision_cfg": TIMM | {"timm_model_name": "fastvit_t8", "timm_proj": None},
        "text_cfg": CLIP_TEXT | {"no_causal_mask": True},
        "custom_text": True,
    },
    # ... coca_ViT-B-32, ...
    "coca": {
        "vision_cfg": VIT | {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
        "text_cfg": CLIP_TEXT | {"context_length": 19, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {"context_length": 19, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
        "custom_text": True,
    },
    # ... ViT-B-16-SigLIP, ...
    "siglip": {
        "embed_dim": 96,
        "vision_cfg": TIMM
        | {"timm_model_name": "test_vit3", "timm_pool": "map", "timm_proj": "none", "image_size": 160},
        "text_cfg": CLIP_TEXT
        | {"no_causal_mask": True, "pool_type": "last", "proj_bias": True, "norm_kwargs": {"eps": 1e-6}}
        | {"hf_tokenizer_name": "unigram", "tokenizer_kwargs": {"clean": "canonicalize"}},
        "init_logit_bias": -10,
        "custom_text": True,
    },
    # ... ViT-L-14-CLIPA, ...
    "clipa": {
        "vision_cfg": VIT | {"pool_type": "avg", "no_ln_pre": True, "pos_embed_type": "sin_cos_2d"},
        "text_cfg": CLIP_TEXT
        | {"no_causal_mask": True, "pool_type": "last"}
        | {"hf_tokenizer_name": "wordpiece", "tokenizer_kwargs": {"strip_sep_token": True}},
    },
    # ... ViT-H-14-worldwide, ...
    "worldwide": {
        "vision_cfg": VIT,
        "text_cfg": CLIP_TEXT | {"hf_tokenizer_name": "bytes", "pool_type": "eos", "eos_id": 2},
    },
    # ... roberta-ViT-B-32.
    "roberta": {
        "vision_cfg": VIT,
        "text_cfg": {
            "context_length": 20, "hf_model_name": "bytes", "hf_tokenizer_name": "bytes", "hf_proj_type": "mlp",
            "hf_pooler_type": "mean_pooler",
        },
    },
}  # fmt: skip
_PIECES = "'s ’ll n't &amp; &lt; &#39; &eacute … “ ﬁ Ｗ Σ 😀 é e\u0301 悲 1 23 - ! ?! _ ſ \x00 \ufeff <"
"""What is written, read and cut in special ways."""
PADDED = {"mobile", "coca", "siglip", "clipa"}
HUB_TOKENIZERS = {"unigram", "wordpiece", "bytes"}


def hub_folder(name: str, folder: Path) -> Path:
    """What the hub would hold: a tokenizer, and the configuration of a text tower."""
    from transformers import PreTrainedTokenizerFast

    folder = folder / name
    trainer: Any
    if name == "unigram":  # as SigLIP's: only an end token, which fills the batch as well
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=500,
            special_tokens=["<pad>", "</s>", "<unk>"],
            unk_token="<unk>",  # noqa: S106 - no password
            show_progress=False,
        )
        tokenizer.train_from_iterator(utterances(), trainer)
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
        names = {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    elif name == "wordpiece":  # as BERT's
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - no password
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
        tokenizer.train_from_iterator([text.lower() for text in utterances()], trainer)
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    else:  # as RoBERTa's
        tokenizer = byte_tokenizer(["<s>", "<pad>", "</s>"])
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
        names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(ROBERTA), encoding="utf-8")
    return folder


def lively(encoder: EncoderModel) -> EncoderModel:
    """Random weights as open_clip leaves them hardly hear their input; these do, so that a wrong graph shows."""
    generator = torch.Generator().manual_seed(1)
    norms = [module for module in encoder.clip.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for name, parameter in encoder.clip.named_parameters():
            if parameter.abs().max() < 1e-3:  # gains that begin at nothing (RN50's last norms) silence whole blocks
                parameter.normal_(0, 0.2, generator=generator)
            elif parameter.dim() > 1 and "positional" not in name:
                fan = parameter[0].numel() if "embedding" not in name else 1
                parameter.normal_(0, (1.0 / fan) ** 0.5, generator=generator)
        for norm in norms:  # as training would leave them
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        size = encoder.image_preprocessing.size
        for _ in range(3):
            encoder.image(nn.functional.interpolate(torch.randn(4, 3, 8, 8, generator=generator), (size, size)))
        encoder.clip.eval()
    return encoder


@pytest.fixture(scope="session")
def kind(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], EncoderModel]:
    """Loads the small member of a family by its name, as every model of open_clip is loaded."""
    open_clip = import_open_clip()
    folder = tmp_path_factory.mktemp("kinds")
    hub = {name: str(hub_folder(name, folder)) for name in HUB_TOKENIZERS}
    for name, architecture in KINDS.items():
        text = {key: hub.get(value, value) if isinstance(value, str) else value
                for key, value in architecture["text_cfg"].items()}  # fmt: skip
        path = folder / f"small-{name}.json"
        path.write_text(json.dumps({"embed_dim": EMBEDDING, **architecture, "text_cfg": text}), encoding="utf-8")
        open_clip.add_model_config(path)
    loaded: dict[str, EncoderModel] = {}

    def load(name: str) -> EncoderModel:
        if name not in loaded:
            torch.manual_seed(0)
            loaded[name] = lively(load_encoder(f"small-{name}"))
        return loaded[name]

    return load


def models_with(encoder: EncoderModel) -> Models:
    """The smallest models around an encoder."""
    sizes = FusionConfig(embedding_size=encoder.embedding_size, fused_size=FUSED, hidden_size=32)
    return replace(tiny_models(), encoder=encoder, fusion=Fusion(sizes).eval())


def exported(once: Once, name: str, plan: GraphPlan) -> bytes:
    """The graph of a plan for the small member of a family."""
    folder = once(f"small-{name}-{plan.name}", lambda folder: write_graph(export_graph(plan), folder / plan.file))
    return (folder / plan.file).read_bytes()


def assert_equal_graph(plan: GraphPlan, graph: bytes) -> None:
    """The graph of a plan equals its module at shapes that were not traced, and the comparison could have failed."""
    checks = check_graph(plan, graph)
    require(checks)
    assert len(set(plan.cases) - {TRACED}) >= 5
    assert len(checks) == 2 + len(plan.cases)
    first, other = (run_module(plan, plan.sample(3, 9, np.random.default_rng(seed)))[0] for seed in (2, 3))
    assert cosines(first, other).max() < 0.999


# --- every kind -------------------------------------------------------------------------------------------------


def slow(name: str) -> Any:
    """A kind that takes long, and differs little from another one."""
    return pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", ["classic", "resnet", *map(slow, ("mobile", "coca", "siglip", "clipa"))])
def test_the_image_encoder_of_every_kind_exports(name: str, kind: Callable[[str], EncoderModel], once: Once) -> None:
    plan = image_encoder_plan(models_with(kind(name)))
    assert_equal_graph(plan, exported(once, name, plan))


@pytest.mark.parametrize("name", ["classic", "siglip", *map(slow, ("mobile", "coca", "clipa", "worldwide", "roberta"))])
def test_the_text_encoder_of_every_kind_exports(name: str, kind: Callable[[str], EncoderModel], once: Once) -> None:
    models = models_with(kind(name))
    plan = text_encoder_plan(models)
    assert_equal_graph(plan, exported(once, name, plan))
    assert models.text.padded == (name in PADDED)
    assert plan.inputs[0].shape == ("batch", models.encoder.context_length if name in PADDED else "length")


@pytest.mark.parametrize("name", KINDS)
def test_embeddings_are_those_of_open_clip(name: str, kind: Callable[[str], EncoderModel]) -> None:
    encoder = kind(name)
    open_clip = import_open_clip()
    torch.manual_seed(0)
    original = open_clip.create_model(f"small-{name}", pretrained_text=False, force_custom_text=True).eval()
    weights = encoder.clip.state_dict()
    left = original.load_state_dict(weights, strict=False)
    assert not left.unexpected_keys
    assert all(key.startswith("text_decoder.") for key in left.missing_keys)
    texts = ["calm", "It makes me feel small, as if a storm were coming.", "", "sad " * 50]
    pixels = torch.randn(2, 3, *original.visual.image_size) if name != "resnet" else torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        padded = open_clip.get_tokenizer(f"small-{name}")(texts)
        torch.testing.assert_close(encoder.text(encoder.tokens(texts)), original.encode_text(padded, normalize=True))
        torch.testing.assert_close(encoder.image(pixels), original.encode_image(pixels, normalize=True))


@pytest.mark.parametrize("name", KINDS)
def test_only_a_padded_encoder_hears_padding(name: str, kind: Callable[[str], EncoderModel]) -> None:
    encoder = kind(name)
    before, behind = encoder.special_tokens
    text = torch.tensor([[*before, 40, 50, 60, *behind]])
    filled = nn.functional.pad(text, (0, encoder.context_length - text.shape[1]), value=encoder.pad_id)
    with torch.no_grad():
        difference = float((encoder.text(text) - encoder.text(filled)).abs().max())
    if name in PADDED:
        assert difference > 1e-2
    else:
        assert difference < 1e-6


@pytest.mark.parametrize("name", KINDS)
def test_a_batch_gives_each_text_its_own_embedding(name: str, kind: Callable[[str], EncoderModel]) -> None:
    encoder = kind(name)
    texts = ["calm", "", "I feel sad, because the light is so soft.", "sad " * 50, "7"]
    with torch.no_grad():
        together = encoder.text(encoder.tokens(texts))
        alone = torch.cat([encoder.text(encoder.tokens([text])) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    assert (together @ together.T - torch.eye(5)).max() < 0.9999


@pytest.mark.parametrize("name", ["classic", "coca", "siglip", "clipa", "worldwide"])
def test_tokens_of_every_kind_equal_those_of_open_clip(name: str, kind: Callable[[str], EncoderModel]) -> None:
    models = models_with(kind(name))
    texts = [text for text in difficult_texts() if "[SEP]" not in text or name != "clipa"]
    tokenizer = models.bundle_tokenizer
    require([check_tokens(models.encoder.reference_tokens, tokenizer, texts)])
    lengths = {len(tokenizer.encode(text).ids) for text in texts}
    if name in PADDED:
        assert lengths == {models.encoder.context_length}
    else:
        assert max(lengths) == models.encoder.context_length > min(lengths)
    # Padded up to the context they are open_clip's own rows, number for number.
    original = import_open_clip().get_tokenizer(f"small-{name}")(texts)
    own = models.encoder.tokens([*texts, "long " * 100])[:-1]
    assert torch.equal(own, original)


@pytest.mark.parametrize("name", KINDS)
def test_an_encoder_of_every_kind_comes_back_from_its_checkpoint(
    name: str, kind: Callable[[str], EncoderModel], tmp_path: Path
) -> None:
    encoder = kind(name)
    encoder.save(tmp_path)
    again = load_encoder(tmp_path)
    assert (again.padded, again.pad_id, again.special_tokens) == (
        encoder.padded,
        encoder.pad_id,
        encoder.special_tokens,
    )
    assert again.image_preprocessing == encoder.image_preprocessing
    texts = ["calm", "I feel “small”, as if a storm were coming."]
    with torch.no_grad():
        assert torch.equal(again.text(again.tokens(texts)), encoder.text(encoder.tokens(texts)))
        pixels = torch.randn(1, 3, again.image_preprocessing.size, again.image_preprocessing.size)
        assert torch.equal(again.image(pixels), encoder.image(pixels))
    assert again.reference_tokens("calm") == encoder.reference_tokens("calm")


def test_the_runtime_feeds_an_encoder_as_open_clip_does(
    kind: Callable[[str], EncoderModel], tiny_bundle: Bundle, once: Once, tmp_path: Path
) -> None:
    models = models_with(kind("siglip"))
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.path, folder)
    plans = (image_encoder_plan(models), text_encoder_plan(models))
    for plan in plans:
        (folder / plan.file).write_bytes(exported(once, "siglip", plan))
    (folder / "tokenizer.json").write_text(models.bundle_tokenizer.to_str(), encoding="utf-8")
    graphs = {plan.name: Graph(plan.file, OPSET, plan.inputs, plan.outputs) for plan in plans}
    stated = tiny_bundle.manifest
    bundle = seal_bundle(
        folder,
        replace(
            stated,
            graphs={**stated.graphs, **graphs},
            text=models.text,
            image=models.encoder.image_preprocessing,
            embedding_size=models.embedding_size,
        ),
    )
    encoders = Encoders(bundle, device="cpu")
    open_clip = import_open_clip()
    picture = np.random.default_rng(0).integers(0, 256, (50, 90, 3), np.uint8)
    with torch.no_grad():
        for text in ("calm", "I feel “small”,  as if a storm were coming.", "sad " * 300):
            expected = models.encoder.text(open_clip.get_tokenizer("small-siglip")([text]))[0]
            np.testing.assert_allclose(encoders.comment(text), expected.numpy(), atol=1e-5)
            assert np.array_equal(encoders.comment(encoders.read(text).heard), encoders.comment(text))
        expected = models.encoder.image(models.encoder.transform(Image.fromarray(picture))[None])[0]
    np.testing.assert_allclose(encoders.image(picture), expected.numpy(), atol=1e-5)


# --- whole models -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViT-B-32", "RN50", "MobileCLIP-S1"])
def test_whole_models_export(name: str) -> None:
    torch.manual_seed(0)
    models = models_with(lively(load_encoder(name)))
    for plan in (image_encoder_plan(models), text_encoder_plan(models)):
        assert_equal_graph(plan, graph_bytes(export_graph(plan)))
    assert models.text.padded == (name == "MobileCLIP-S1")
    assert (models.text.context_length, models.text.pad_id) == (77, 0)


def test_names_that_need_the_hub_are_refused_in_one_sentence() -> None:
    code = (
        "from training.models.encoders import load_encoder\n"
        "from training.torchvision_guard import import_open_clip\n"
        "from a2m_edge.errors import CheckpointError\n"
        "open_clip = import_open_clip()\n"
        "texts = {name: open_clip.get_model_config(name)['text_cfg'] for name in open_clip.list_models()}\n"
        "names = [name for name in texts if 'hf_tokenizer_name' in texts[name]]\n"
        "for name in [*names, 'ViT-H-14:laion2b_s32b_b79k', 'ViT-B-32:no_such_tag']:\n"
        "    try:\n"
        "        load_encoder(name)\n"
        "        print(name, 'loaded')\n"
        "    except CheckpointError as error:\n"
        "        print(error)\n"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": os.devnull}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=offline, capture_output=True, text=True, check=True
    )
    *hub, weights, tag = done.stdout.splitlines()
    assert len(hub) > 40
    assert not done.stderr
    assert all(line.startswith("the OpenCLIP model ") and "Hugging Face hub" in line for line in hub)
    assert any("ViT-B-16-SigLIP cannot be loaded, it needs timm/ViT-B-16-SigLIP from" in line for line in hub)
    assert "ViT-H-14:laion2b_s32b_b79k cannot be loaded" in weights
    assert "'no_such_tag' is not a known tag" in tag


def test_a_tag_brings_its_own_activation(
    kind: Callable[[str], EncoderModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_open_clip()
    from open_clip import pretrained

    encoder = kind("classic")
    save_file(
        {name: value.contiguous() for name, value in encoder.clip.state_dict().items()}, tmp_path / "w.safetensors"
    )
    tags = {"fast": {"file": str(tmp_path / "w.safetensors"), "quick_gelu": True}}
    monkeypatch.setitem(pretrained._PRETRAINED, "small-classic", tags)
    monkeypatch.setattr(pretrained, "download_pretrained", lambda tag, **_: tag["file"])
    quick, exact = load_encoder("small-classic:fast"), load_encoder(f"small-classic:{tmp_path / 'w.safetensors'}")
    tokens = encoder.tokens(["calm"])
    with torch.no_grad():
        assert torch.equal(exact.text(tokens), encoder.text(tokens))
        assert not torch.allclose(quick.text(tokens), encoder.text(tokens), atol=1e-4)
    quick.save(tmp_path / "checkpoint")
    with torch.no_grad():
        assert torch.equal(load_encoder(tmp_path / "checkpoint").text(tokens), quick.text(tokens))


def test_damaged_weights_are_refused_in_one_sentence(kind: Callable[[str], EncoderModel], tmp_path: Path) -> None:
    kind("classic")
    for name, content in (("w.safetensors", b"x" * 100), ("w.pt", b"x" * 100), ("w.bin", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=r"small-classic.* cannot be loaded: .+") as caught:
            load_encoder(f"small-classic:{tmp_path / name}")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": [32, 48]}, "32 x 48 pixels"),
        ({"interpolation": "random"}, "'random' interpolation"),
        ({"resize_mode": "crop"}, "'crop' resizing"),
        ({"mean": 0.5}, "the mean 0.5"),
        ({"std": [0.5, 0.0, 0.5]}, "the deviation"),
        ({"fill_color": 300}, "the fill colour 300"),
    ],
)
def test_pictures_that_no_bundle_can_express_are_refused(
    change: dict[str, object], told: str, kind: Callable[[str], EncoderModel], tmp_path: Path
) -> None:
    kind("classic").save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config["preprocessing"] |= change
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CheckpointError, match=told):
        load_encoder(tmp_path)


# --- tokens -----------------------------------------------------------------------------------------------------


def ten_thousand(shared: Path) -> list[str]:
    """All captions of MusicCaps, comments of ArtEmis, and what is difficult."""
    texts = difficult_texts(1500)
    with (shared / "data" / "musiccaps.csv").open(encoding="utf-8", newline="") as file:
        texts += [row["caption"] for row in csv.DictReader(file)]
    with (shared / "data" / "artemis.csv").open(encoding="utf-8", newline="") as file:
        comments = [row["utterance"] for row in csv.DictReader(file)]
    curly = [comment for comment in comments if "’" in comment]
    plain = np.random.default_rng(0).permutation(len(comments))[: 10_000 - len(texts) - len(curly)]
    return texts + curly + [comments[index] for index in plain]


@pytest.mark.slow
def test_clip_tokens_are_equal_on_ten_thousand_strings(shared: Path, kind: Callable[[str], EncoderModel]) -> None:
    encoder = kind("classic")
    texts = ten_thousand(shared)
    assert len(texts) == 10_000
    require([check_tokens(encoder.reference_tokens, models_with(encoder).bundle_tokenizer, texts)])


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_clip_tokens_are_equal_on_what_people_type(data: st.DataObject, kind: Callable[[str], EncoderModel]) -> None:
    encoder = kind("classic")
    pieces = st.sampled_from(_PIECES.split(" "))
    spaces = st.sampled_from([" ", "\n", "\t", "\u3000", "\u00a0"])
    # No control characters: they are taken out of a comment before, and by open_clip in the middle of its work.
    words = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=8)
    text = "".join(data.draw(st.lists(st.one_of(pieces, spaces, words), max_size=20)))
    assume(not re.search(r"&\W*(amp\W*)*#", text))  # nobody types characters by their numbers: few are understood
    assert encoder.reference_tokens(text) == encoder.tokenizer.encode(text).ids


def test_mojibake_is_the_one_thing_that_is_not_repaired(kind: Callable[[str], EncoderModel]) -> None:
    encoder = kind("classic")
    broken = [text.encode().decode("sloppy-windows-1252") for text in ("I don’t know", "a café", "naïve – so")]
    for text in broken:
        assert encoder.reference_tokens(text) != encoder.tokenizer.encode(text).ids


@pytest.mark.parametrize("options", [{"clean": "canonicalize"}, {"clean": "whitespace"}, {"clean": "lower"}])
def test_every_cleaning_of_byte_pairs_is_repeated(options: dict[str, str]) -> None:
    import_open_clip()
    from open_clip.tokenizer import SimpleTokenizer

    from training.models.texts.tokenizer import portable_tokenizer

    original = SimpleTokenizer(context_length=30, additional_special_tokens=["<mask>"], **options)
    twin = portable_tokenizer(original)
    twin.enable_truncation(30)
    twin.enable_padding(length=30, pad_id=0)
    texts = [*difficult_texts(), "the end of text, start of text", "a <mask> b"]
    different = [text for text in texts if original([text])[0].tolist() != twin.encode(text).ids]
    assert not different


def test_tokenizers_for_training_only_are_refused() -> None:
    import_open_clip()
    from open_clip.tokenizer import SimpleTokenizer

    from training.models.texts.tokenizer import portable_tokenizer

    for mask in ("simple", "random", "shuffle", "syntax"):
        with pytest.raises(ValueError, match="for training only"):
            portable_tokenizer(SimpleTokenizer(reduction_mask=mask))
