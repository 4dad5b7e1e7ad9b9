"""The sketch of a log-mel: powers add up, loudness follows velocity, and half precision bears it."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from a2m_edge.inference.sessions import session_options
from export.graphs.half import to_half
from training.models.mel_sketch import LOUDNESS, MelSketch

INSTRUMENTS, KEYS, BANDS, FADING = 3, 5, 4, (0.0, 0.5, 2.0, 8.0)


def sketch() -> MelSketch:
    """Spectra at random, over a floor far below."""
    torch.manual_seed(0)
    made = MelSketch(INSTRUMENTS, KEYS, BANDS, FADING)
    with torch.no_grad():
        made.spectra.normal_(-0.6, 0.1)
        made.floor.fill_(-2.3)
    return made


def given(*notes: tuple[int, int, float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Players and score of one frame: role, key, velocity, seconds since the attack; role r plays instrument r."""
    players = torch.eye(INSTRUMENTS)[None, None]
    score = torch.zeros(1, 1, INSTRUMENTS, 2, KEYS)
    for role, key, velocity, age in notes:
        score[0, 0, role, :, key] = torch.tensor([velocity, velocity * np.exp(-age)])
    return players, score


def powers(*notes: tuple[int, int, float, float]) -> torch.Tensor:
    with torch.no_grad():
        return torch.exp(2 * sketch()(*given(*notes)))[0, 0]


def test_the_powers_of_notes_add_up() -> None:
    one, other, floor = powers((0, 1, 0.8, 0.1)), powers((2, 4, 0.5, 0.7)), powers()
    both = powers((0, 1, 0.8, 0.1), (2, 4, 0.5, 0.7))
    torch.testing.assert_close(both, one + other - floor, rtol=1e-4, atol=1e-9)


def test_a_note_is_as_loud_as_it_is_struck_and_fades() -> None:
    floor = powers()
    quiet, loud, later = powers((1, 2, 0.4, 0.0)), powers((1, 2, 0.8, 0.0)), powers((1, 2, 0.8, 3.0))
    torch.testing.assert_close((loud - floor) / (quiet - floor), torch.full((BANDS,), 2.0**LOUDNESS), rtol=1e-3, atol=0)
    assert (later < loud).all()
    assert (later > floor).all(), "one of the ways stays while the key is held"


@pytest.mark.parametrize("way", [0.0, 0.25, 0.5, 0.75, 1.0, 2.0, 3.0, 8.0])
def test_each_way_of_fading_is_its_power_of_the_time_constant(way: float) -> None:
    made = MelSketch(INSTRUMENTS, KEYS, BANDS, (way,))
    with torch.no_grad():
        made.floor.fill_(-5.0)
        struck, later = (made(*given((1, 2, 0.8, age)))[0, 0] for age in (0.0, 0.6))
    torch.testing.assert_close(struck - later, torch.full((BANDS,), 0.6 * way), rtol=1e-4, atol=1e-4)


def test_silence_is_the_floor_and_has_gradients() -> None:
    made = sketch()
    silent = made(*given())
    silent.sum().backward()
    torch.testing.assert_close(silent[0, 0].detach(), torch.full((BANDS,), -11.5), rtol=0, atol=1e-3)
    assert all(torch.isfinite(parameter.grad).all() for parameter in made.parameters() if parameter.grad is not None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("loudness", [-0.6, 40.0])
def test_half_precision_bears_every_spectrum(loudness: float) -> None:
    """A key that was never trained may have any spectrum: it may not spoil the others, nor be infinite itself."""
    made = sketch()
    with torch.no_grad():
        made.spectra[:, :, 3] = loudness
    inputs = given((0, 1, 0.8, 0.1), (1, 0, 1.0, 0.0))
    program = torch.onnx.export(made, inputs, dynamo=True, input_names=["players", "score"], output_names=["mel"])
    assert program is not None
    half = to_half(program.model_proto)
    session = onnxruntime.InferenceSession(
        half.SerializeToString(), session_options(1), providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {name: part.numpy() for name, part in zip(("players", "score"), inputs, strict=True)})[0]
    with torch.no_grad():
        np.testing.assert_allclose(found, made(*inputs).numpy(), atol=0.01)
