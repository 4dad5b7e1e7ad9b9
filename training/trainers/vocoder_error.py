"""How faithfully a vocoder sounds a mel-spectrogram again."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from a2m_edge.sound.format import AudioFormat
from training.data.recordings.clips import Clip
from training.losses import LogMelSpectrogram
from training.models.vocoders.interface import Vocoder


@torch.no_grad()
def copy_synthesis(vocoder: Vocoder, clips: Iterable[Clip], audio: AudioFormat) -> dict[str, float]:
    """Sounds the mels of recordings again and compares the mels of both.

    Args:
        vocoder: on any device.
        clips: its inputs, and the audio it should give.
        audio: format of the clips.

    Returns:
        ``log_mel_l1``, the mean absolute difference of natural log-mels over all frames and bands, and
        ``level_db``, the mean over clips of the generated level (RMS) relative to the real one, in dB.

    Raises:
        ValueError: there are no clips.
    """
    device = next(vocoder.parameters()).device
    log_mel = LogMelSpectrogram(audio).to(device)
    error, frames, levels = 0.0, 0, []
    for mel, source, real in clips:
        inputs = [mel.to(device)[None]]
        if vocoder.excitation:
            inputs.append(source.to(device)[None, None])
        generated = vocoder(*inputs)[0]  # (C, hop * T)
        truth = real.to(device)
        difference = (log_mel(generated) - log_mel(truth)).abs().mean().item()  # every channel by itself
        error += difference * mel.shape[-1]
        frames += mel.shape[-1]
        levels.append(20 * (generated.square().mean() / truth.square().mean().clamp(min=1e-12)).sqrt().log10().item())
    if not frames:
        raise ValueError("copy synthesis needs at least one clip")
    return {"log_mel_l1": error / frames, "level_db": sum(levels) / len(levels)}
