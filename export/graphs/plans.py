"""The five graphs of a bundle: names, axes, what stands inside, and where each is put to the test."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from a2m_edge.bundle.manifest import Tensor
from a2m_edge.sound.mel import SILENCE
from export.graphs.export import Arrays, GraphPlan
from export.models import Models
from training.models.cropped_decoder import CroppedDecoder
from training.models.fusion import Fusion
from training.models.mel_decoder import MelDecoder, PaperDecoder
from training.models.subjects import LabelledImageTower

_LENGTHS = ((1, 1), (1, 2), (3, 13), (2, 64), (1, 300))
_BATCHES = ((1, 1), (3, 1), (4, 1), (5, 1), (8, 1))


class FusionGraph(nn.Module):
    """A fusion model with its logits turned into probabilities.

    image_embedding [B, D], text_embedding [B, D], present [B, 2] (1 where there is a picture, a comment) ->
    fused [B, H], emotions [B, 9], valence_arousal [B, 2], palette [B, roles, instruments], room [B, 1], and, of a
    fusion that weighs, weight [B, 1]: how much the comment says, in [0, 1]; 0 where there is none.
    """

    def __init__(self, fusion: Fusion) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(
        self, image_embedding: torch.Tensor, text_embedding: torch.Tensor, present: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        fused, emotions, valence_arousal, palette, room = self.fusion(image_embedding, text_embedding, present)
        told = (fused, F.softmax(emotions, -1), valence_arousal, F.softmax(palette, -1), room)
        if not self.fusion.config.weighs:
            return told
        return (*told, torch.sigmoid(self.fusion.weigh(text_embedding)) * present[:, 1:])


def graph_plans(models: Models) -> tuple[GraphPlan, ...]:
    """The plans of a bundle's graphs, in the order of the data."""
    return (
        image_encoder_plan(models),
        text_encoder_plan(models),
        fusion_plan(models),
        mel_decoder_plan(models),
        vocoder_plan(models),
    )


def image_encoder_plan(models: Models) -> GraphPlan:
    """image [batch, 3, size, size] -> image_embedding [batch, D], L2 norm 1, and labels [batch, labels] if it has any.

    The labels are probabilities of subjects, of styles and of periods, in the order of ``subjects.json``.
    """
    size = models.encoder.image_preprocessing.size
    patch = -(-size // 8)

    def sample(batch: int, length: int, generator: np.random.Generator) -> Arrays:
        # Patches of colour: pictures of noise alone are all the same to an encoder that pools.
        patches = generator.standard_normal((batch, 3, 8, 8), np.float32).repeat(patch, 2).repeat(patch, 3)
        noise = generator.standard_normal((batch, 3, size, size), np.float32)
        return (patches[..., :size, :size] + np.float32(0.25) * noise,)

    module, labels = cast(nn.Module, models.encoder.image), []
    outputs = [Tensor("image_embedding", "float32", ("batch", models.embedding_size))]
    if models.subjects is not None:
        module = LabelledImageTower(models.encoder, models.subjects)
        labels = [label.name for label in models.subjects.config.tables.labels]
        outputs.append(Tensor("labels", "float32", ("batch", len(labels))))
    return GraphPlan(
        "image_encoder",
        module,
        (Tensor("image", "float32", ("batch", 3, size, size)),),
        tuple(outputs),
        sample,
        _BATCHES,
        {"image_embedding": "cosine"},
        facts={
            "image": models.facts["image"],
            "embedding_size": models.embedding_size,
            **({"labels": labels} if labels else {}),
        },
    )


def text_encoder_plan(models: Models) -> GraphPlan:
    """tokens [batch, length] -> text_embedding [batch, D], L2 norm 1; padding changes no embedding.

    An encoder whose output depends on padding takes texts filled up to its context: tokens [batch, context].
    """
    encoder, context = models.encoder, models.encoder.context_length
    before, behind = encoder.special_tokens
    ids = np.setdiff1d(list(encoder.tokenizer.get_vocab().values()), [encoder.pad_id, *before, *behind])

    def sample(batch: int, length: int, generator: np.random.Generator) -> Arrays:
        longest = context if encoder.padded else length
        most = max(0, longest - len(before) - len(behind))
        tokens = np.full((batch, longest), encoder.pad_id, np.int64)
        for row in range(batch):  # the first text is as long as it can be, the others end in padding
            words = most if row == 0 else generator.integers(0, most, endpoint=True)
            text = [*before, *generator.choice(ids, words), *behind][-longest:]
            tokens[row, : len(text)] = text
        return (tokens,)

    lengths = sorted({1, 2, 5, context // 2, context - 1, context})
    return GraphPlan(
        "text_encoder",
        cast(nn.Module, encoder.text),
        (Tensor("tokens", "int64", ("batch", context if encoder.padded else "length")),),
        (Tensor("text_embedding", "float32", ("batch", models.embedding_size)),),
        sample,
        _BATCHES if encoder.padded else tuple((1 + 2 * (place % 2), length) for place, length in enumerate(lengths)),
        {"text_embedding": "cosine"},
        facts={"text": models.facts["text"], "embedding_size": models.embedding_size},
    )


def fusion_plan(models: Models) -> GraphPlan:
    """Embeddings and which of them are present -> fused vector, feeling and palette."""

    def sample(batch: int, length: int, generator: np.random.Generator) -> Arrays:
        embeddings = generator.standard_normal((2, batch, models.embedding_size), np.float32)
        embeddings /= np.linalg.norm(embeddings, axis=-1, keepdims=True)
        present = np.array([(1, 1), (1, 0), (0, 1), (0, 0)], np.float32)[np.arange(batch) % 4]
        return embeddings[0], embeddings[1], present

    roles, instruments = len(models.roles), len(models.instruments)
    weight = (Tensor("weight", "float32", ("batch", 1)),) if models.fusion.config.weighs else ()
    return GraphPlan(
        "fusion",
        FusionGraph(models.fusion),
        (
            Tensor("image_embedding", "float32", ("batch", models.embedding_size)),
            Tensor("text_embedding", "float32", ("batch", models.embedding_size)),
            Tensor("present", "float32", ("batch", 2)),
        ),
        (
            Tensor("fused", "float32", ("batch", models.fused_size)),
            Tensor("emotions", "float32", ("batch", len(models.emotions))),
            Tensor("valence_arousal", "float32", ("batch", 2)),
            Tensor("palette", "float32", ("batch", roles, instruments)),
            Tensor("room", "float32", ("batch", 1)),
            *weight,
        ),
        sample,
        _BATCHES,
        facts={name: models.facts[name] for name in ("emotions", "roles", "instruments")},
    )


def mel_decoder_plan(models: Models) -> GraphPlan:
    """The plan of a decoder of either architecture."""
    if isinstance(models.decoder, MelDecoder):
        return windows_plan(models, models.decoder)
    return clips_plan(models, models.decoder)


def windows_plan(models: Models, decoder: MelDecoder) -> GraphPlan:
    """fused, palette and score frames [batch, frames, ...] -> mel and shimmer [batch, bands, window] in nat.

    The outputs are the frames without the context at either end; a case is as long as that.
    """
    module = CroppedDecoder(decoder)
    features, palette_size = decoder.config.score_features, decoder.config.palette_size
    roles, instruments = decoder.config.roles, decoder.config.instruments

    def sample(batch: int, length: int, generator: np.random.Generator) -> Arrays:
        frames = module.left + length + module.right
        fused = generator.standard_normal((batch, 1, models.fused_size), np.float32).repeat(frames, 1)
        palette = np.zeros((batch, frames, palette_size), np.float32)
        for role in range(roles):
            palette[:, :, role * instruments + generator.integers(instruments)] = 1.0
        palette[:, :, -1] = generator.random((), np.float32)
        held = generator.random((batch, frames, features), np.float32)
        return fused, palette, np.where(held > 0.98, generator.random(held.shape, np.float32), np.float32(0))

    return GraphPlan(
        "mel_decoder",
        module,
        (
            Tensor("fused", "float32", ("batch", "frames", models.fused_size)),
            Tensor("palette", "float32", ("batch", "frames", palette_size)),
            Tensor("score", "float32", ("batch", "frames", features)),
        ),
        tuple(Tensor(name, "float32", ("batch", models.audio.mel_bands, "window")) for name in ("mel", "shimmer")),
        sample,
        _LENGTHS,
        facts={name: models.facts[name] for name in ("audio", "score", "decoder", "roles", "instruments")},
    )


def clips_plan(models: Models, decoder: PaperDecoder) -> GraphPlan:
    """fused [batch, H] -> mel of one clip [batch, bands, frames], natural log; the number of frames is fixed."""

    def sample(batch: int, length: int, generator: np.random.Generator) -> Arrays:
        return (generator.standard_normal((batch, models.fused_size), np.float32),)

    return GraphPlan(
        "mel_decoder",
        decoder,
        (Tensor("fused", "float32", ("batch", models.fused_size)),),
        (Tensor("mel", "float32", ("batch", models.audio.mel_bands, decoder.config.frames)),),
        sample,
        _BATCHES,
        constants={"positions": decoder.positions.detach().numpy()},
        facts={name: models.facts[name] for name in ("audio", "decoder")},
    )


def vocoder_plan(models: Models) -> GraphPlan:
    """mel [batch, bands, frames] -> waveform [batch, channels, samples], of the frames between the contexts.

    A vocoder with the notes' partials as an input takes excitation [batch, 1, excited] as well, excited = frames x hop.
    A case is as long as its sound.
    """
    excited, module = models.vocoder.excitation, models.cropped_vocoder

    def sample(batch: int, length: int, generator: np.random.Generator) -> Arrays:
        # Bands fall by some 6 nat towards the treble, as in music; the loudness wanders.
        slope = np.linspace(0, -6, models.audio.mel_bands, dtype=np.float32)[:, None]
        frames = module.context + length + module.context
        noise = generator.standard_normal((batch, models.audio.mel_bands, frames), np.float32)
        mel = np.clip(-3 + slope + 1.5 * noise, np.float32(SILENCE), 2)
        source = generator.standard_normal((batch, 1, frames * models.audio.hop), np.float32)
        return (mel, source) if excited else (mel,)

    return GraphPlan(
        "vocoder",
        module,
        (
            Tensor("mel", "float32", ("batch", models.audio.mel_bands, "frames")),
            *([Tensor("excitation", "float32", ("batch", 1, "excited"))] if excited else []),
        ),
        (Tensor("waveform", "float32", ("batch", models.audio.channels, "samples")),),
        sample,
        _LENGTHS,
        facts={"audio": models.facts["audio"], "context": module.context},
    )
