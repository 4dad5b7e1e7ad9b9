"""What the table of vocoders on a GPU counts and says; the measuring itself needs a GPU."""

from __future__ import annotations

import pytest
import torch

from a2m_edge.errors import DeviceError
from a2m_edge.inference.devices import find_gpu
from export.timing.gpu_table import Ceiling, Cost, VocoderTiming, cost, line, main, random_vocoder
from training.models.cropped_generator import Convolution, CroppedGenerator, Upsampling
from training.models.hifigan import CONFIGS, Generator


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("batch", "frames"), [(1, 5), (3, 8)])
def test_the_cost_is_that_of_the_convolutions(name, batch, frames):
    with torch.device("meta"):  # shapes alone
        vocoder = CroppedGenerator(Generator(CONFIGS[name]), 4)
        mel = torch.zeros(batch, 80, 2 * vocoder.context + frames)
    lengths = {}
    for part in vocoder.modules():
        if isinstance(part, Convolution | Upsampling):
            part.register_forward_hook(lambda part, inputs, out: lengths.update({part: (inputs[0].shape, out.shape)}))
    vocoder(mel)
    operations = values = 0
    for part, (taken, given) in lengths.items():
        # Every weight multiplies once for each place of the shorter side.
        places = taken[3] if isinstance(part, Upsampling) else given[3]
        operations += 2 * part.weight.numel() * places * batch
        values += taken.numel() + given.numel()
    weights = sum(parameter.numel() for parameter in vocoder.parameters())
    assert cost(CONFIGS[name], batch, frames) == Cost(operations, weights + values)


def test_the_limit_is_the_larger_of_two_times():
    ceiling = Ceiling(operations=100.0, bytes=10.0, width=2)
    assert ceiling.shortest(Cost(500.0, 1.0)) == 5.0
    assert ceiling.shortest(Cost(1.0, 50.0)) == 10.0


def test_random_vocoders_are_neither_silent_nor_clipped():
    with torch.no_grad():
        waveform = random_vocoder(CONFIGS["v3"])(torch.full((1, 80, 40), -6.0) + torch.randn(1, 80, 40))
    assert 0.01 < waveform.std() < 0.5


def test_a_line_says_how_much_faster_than_real_time():
    row = VocoderTiming("HiFi-GAN V1", 8, "TensorRT 11.4.0", "fp16", 0.002, 8 * 0.372, 0.001, 62.4)
    assert line(row) == "| HiFi-GAN V1 | 8 | TensorRT 11.4.0 | fp16 | 2.00 | 1488 | 50 % | 62 dB |\n"


def test_without_a_gpu_the_command_says_so(capsys):
    try:
        find_gpu()
    except DeviceError as error:
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert capsys.readouterr() == ("", f"gpu_table: {error}\n")
    else:
        pytest.skip("there is a GPU")
