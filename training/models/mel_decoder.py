"""Mel decoders: score and feeling in, log-mel out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from a2m_edge.bundle.manifest import DecoderContext
from a2m_edge.errors import CheckpointError
from a2m_edge.score import ScoreLayout
from training.checkpoint import load_checkpoint, load_weights
from training.models.mel_sketch import MelSketch

SHIMMER = (-5.0, 0.5)
"""Natural logarithm of the least and the largest shimmer in nat."""
UNTOLD_SHIMMER = -1.2
"""Natural logarithm of the shimmer in nat that an untrained decoder gives."""


@dataclass(frozen=True)
class MelDecoderConfig:
    """Sizes of a ``MelDecoder``.

    Attributes:
        fused_size: H, of the fused embedding.
        roles, instruments: of the palette; P = roles * instruments + 1.
        keys, lowest_pitch, onset_decay: the score layout, F = roles * 2 * keys.
        voice_channels: channels in which an instrument colours a key.
        channels: width of the layers before the LSTM.
        hidden: units of the LSTM each way.
        layers: layers of the LSTM.
        mel_bands: bands of the log-mel.
        fading: ways in which the spectra of single notes fade in a first sketch (see ``MelSketch``); none: no sketch.
        window, left, right: frames that the runtime decodes at once, and the frames of context it adds before
            and after; measured at the end of a training.
    """

    fused_size: int = 256
    roles: int = 4
    instruments: int = 16
    keys: int = 88
    lowest_pitch: int = 21
    onset_decay: float = 0.5
    voice_channels: int = 256
    channels: int = 256
    hidden: int = 256
    layers: int = 2
    mel_bands: int = 80
    fading: tuple[float, ...] = (0.0, 0.5, 2.0, 8.0)
    window: int = 32
    left: int = 32
    right: int = 32

    @property
    def context(self) -> DecoderContext:
        """How the runtime decodes."""
        return DecoderContext(self.window, self.left, self.right)

    @property
    def layout(self) -> ScoreLayout:
        """What its score frames are."""
        return ScoreLayout(self.roles, self.lowest_pitch, self.keys, self.onset_decay)

    @property
    def palette_size(self) -> int:
        """P: one-hot instruments of each role, and the room."""
        return self.roles * self.instruments + 1

    @property
    def score_features(self) -> int:
        """F: roles x (sounding, onset) x keys."""
        return self.layout.features

    def document(self) -> dict[str, Any]:
        """The checkpoint's ``config.json``."""
        return {"kind": "decoder", "architecture": "score", **asdict(self)}


class MelDecoder(nn.Module):
    """A BiLSTM that decodes a score, coloured by a palette and a fused embedding, into a log-mel.

    Keys are heard through instruments: each role's frame is projected to ``voice_channels`` and multiplied there
    by its instrument's colours, so that one table of keys serves every instrument and role; the sum over the
    roles, like the air in a room, is one sound. The fused embedding enters beside it and begins at zero weight.

    No score says how tones beat, breathe and rustle from one frame to the next, so that a mel of least error is smooth
    where a recording is alive. Beside the mel the decoder therefore gives how far the real one moves about it (see
    ``a2m_edge.synthesis.shimmer``).

    ``mel_mean`` and ``mel_scale`` [bands] are the training set's mean and standard deviation per band.
    """

    mel_mean: Tensor
    mel_scale: Tensor

    def __init__(self, config: MelDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.keys = nn.Linear(2 * config.keys, config.voice_channels, bias=False)
        self.colours = nn.Linear(config.instruments, config.voice_channels)
        self.palette = nn.Linear(config.palette_size, config.channels)
        self.fused = nn.Linear(config.fused_size, config.channels, bias=False)
        self.voices = nn.Linear(config.voice_channels, config.channels)
        self.attack = nn.Conv1d(config.channels, config.channels, 5, padding=2)
        self.lstm = nn.LSTM(config.channels, config.hidden, config.layers, batch_first=True, bidirectional=True)
        sketched = config.mel_bands if config.fading else 0
        described = 2 * config.hidden + config.channels + sketched
        self.out = nn.Linear(described, config.mel_bands)
        self.shimmer = nn.Linear(described, config.mel_bands)
        if config.fading:
            self.sketch = MelSketch(config.instruments, config.keys, config.mel_bands, config.fading)
            self.sketched = nn.Linear(config.mel_bands, config.channels, bias=False)
            with torch.no_grad():  # the sketch is what is corrected
                self.out.weight[:, -sketched:] = torch.eye(sketched)
        self.register_buffer("mel_mean", torch.zeros(config.mel_bands))
        self.register_buffer("mel_scale", torch.ones(config.mel_bands))
        nn.init.zeros_(self.fused.weight)
        nn.init.zeros_(self.shimmer.weight)
        nn.init.constant_(self.shimmer.bias, UNTOLD_SHIMMER)

    @torch.no_grad()
    def begin_with(self, sample: Tensor) -> None:
        """Starts from what frames of the training set (bands, n) are like, before anything is learned."""
        self.mel_mean.copy_(sample.mean(1))
        self.mel_scale.copy_(sample.std(1))
        if self.config.fading:
            self.sketch.begin_with(sample)

    def forward(self, fused: Tensor, palette: Tensor, score: Tensor) -> Tensor:
        """Decodes T frames.

        Args:
            fused: (B, T, H).
            palette: (B, T, P), one-hot instruments of each role, then the room in [0, 1].
            score: (B, T, F).

        Returns:
            natural-log mel (B, bands, T).
        """
        mel, _ = self.describe(fused, palette, score)
        return mel

    def describe(self, fused: Tensor, palette: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        """Mel and shimmer of T frames; arguments are those of ``forward``.

        Returns:
            natural-log mel (B, bands, T), and the standard deviation in nat of what it leaves out from frame to frame,
            of the same shape. No gradient of the latter reaches the layers that both share: the mel stays the best one.
        """
        heard, sketch = self.listen(fused, palette, score)
        remembered, _ = self.lstm(heard)  # (B, T, 2 * hidden)
        return self.tell(remembered, heard, sketch)

    def listen(self, fused: Tensor, palette: Tensor, score: Tensor) -> tuple[Tensor, Tensor | None]:
        """Input of the LSTM for T frames, (B, T, channels), and the sketch that it corrects, (B, T, bands), if any."""
        config = self.config
        batch, frames, _ = score.shape
        by_role = score.reshape(batch, frames, config.roles, 2 * config.keys)
        players = palette[:, :, : config.roles * config.instruments]
        players = players.reshape(batch, frames, config.roles, config.instruments)
        voices = (self.keys(by_role) * self.colours(players)).sum(2)  # (B, T, voice_channels)
        given = self.voices(voices) + self.palette(palette) + self.fused(fused)  # (B, T, channels)
        sketch = None
        if config.fading:
            notes = score.reshape(batch, frames, config.roles, 2, config.keys)
            sketch = (self.sketch(players, notes) - self.mel_mean) / self.mel_scale.clamp(min=0.1)  # (B, T, bands)
            given = given + self.sketched(sketch)
        heard = torch.relu(given)
        return heard + torch.relu(self.attack(heard.transpose(1, 2))).transpose(1, 2), sketch

    def tell(self, remembered: Tensor, heard: Tensor, sketch: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mel and shimmer, (B, bands, T) each, from the output of the LSTM (B, T, 2 * hidden) and its input."""
        described = torch.cat([remembered, heard, *([] if sketch is None else [sketch])], 2)
        mel: Tensor = self.out(described) * self.mel_scale + self.mel_mean  # (B, T, bands)
        shimmer = self.shimmer(described.detach()).clamp(*SHIMMER).exp()  # (B, T, bands)
        return mel.transpose(1, 2), shimmer.transpose(1, 2)


@dataclass(frozen=True)
class PaperDecoderConfig:
    """Sizes of a ``PaperDecoder``; the defaults are the published ones."""

    fused_size: int = 512
    frames: int = 862
    hidden: int = 512
    layers: int = 4
    mel_bands: int = 80

    def document(self) -> dict[str, Any]:
        """The checkpoint's ``config.json``."""
        return {"kind": "decoder", "architecture": "paper", **asdict(self)}


class PaperDecoder(nn.Module):
    """The published decoder: no score, one vector and learned positions (arXiv 2512.00120).

    It gives one clip of a fixed length for one embedding; kept as the baseline.
    """

    def __init__(self, config: PaperDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.positions = nn.Parameter(torch.randn(config.frames, config.fused_size) * 0.02)
        self.lstm = nn.LSTM(config.fused_size, config.hidden, config.layers, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * config.hidden, config.mel_bands)

    def forward(self, fused: Tensor, positions: Tensor | None = None) -> Tensor:
        """One clip: fused (B, H) to natural-log mel (B, bands, frames).

        ``positions`` (frames, H) are the learned ones where they are not given.
        """
        placed = fused[:, None, :] + (self.positions if positions is None else positions)
        remembered, _ = self.lstm(placed)  # (B, frames, 2 * hidden)
        mel: Tensor = self.out(remembered)
        return mel.transpose(1, 2)


def decode_windows(model: MelDecoder, fused: Tensor, palette: Tensor, score: Tensor, context: DecoderContext) -> Tensor:
    """Decodes a clip on the grid of windows: (T, H), (T, P), (T, F) to natural-log mel (bands, T).

    Before its beginning and after its end the clip is silent, in the same room.
    """
    frames = len(score)
    windows = -(-frames // context.window)
    after = windows * context.window - frames + context.right
    rows = torch.arange(windows)[:, None] * context.window + torch.arange(context.span)
    held = (0, 0, context.left, after)
    fused, palette = (functional.pad(part.T[None], held[2:], mode="replicate")[0].T for part in (fused, palette))
    mel = model(fused[rows], palette[rows], functional.pad(score, held)[rows])
    mel = mel[:, :, context.left : context.left + context.window]  # (windows, bands, window)
    return torch.cat(list(mel), 1)[:, :frames]


def load_mel_decoder(folder: Path) -> MelDecoder | PaperDecoder:
    """The decoder of a checkpoint folder, in evaluation mode.

    Raises:
        CheckpointError: the folder holds no decoder of a known architecture, or its weights do not fit.
    """
    state, document = load_checkpoint(folder, "decoder")
    notes = ("kind", "architecture", "audio", "measured_contexts")
    sizes = {name: value for name, value in document.items() if name not in notes}
    model: MelDecoder | PaperDecoder
    try:
        if document["architecture"] == "paper":
            model = PaperDecoder(PaperDecoderConfig(**sizes))
        else:
            # A checkpoint from before there were sketches does not mention them.
            model = MelDecoder(MelDecoderConfig(**sizes | {"fading": tuple(sizes.get("fading", ()))}))
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"The decoder in {folder} has a config that is not known here ({error}).") from error
    load_weights(model, state, folder)
    return model.eval()
