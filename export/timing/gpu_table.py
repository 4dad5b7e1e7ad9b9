"""The vocoder on a GPU: times real time of HiFi-GAN V1, V2 and V3 by every way to run them, and what the GPU could do.

Run on a machine with an NVIDIA GPU, with the extras ``train`` and ``tensorrt``:  python -m export.timing.gpu_table

Every run starts with the mel in the computer's memory and ends with the sound in it. The limit is the roofline of
Williams, Waterman & Patterson 2009 (Communications of the ACM 52:4): a run can be no shorter than its floating-point
operations at the speed of this GPU's matrix product, nor than its bytes at the speed of this GPU's copy, both
measured in the same run. Bytes are those of a convolution after another: weights, and what each reads and writes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime
import torch
import typer
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from a2m_edge.bundle.manifest import Graph, Tensor
from a2m_edge.errors import A2MError, DeviceError
from a2m_edge.inference.agreement import signal_to_noise
from a2m_edge.inference.devices import Gpu, find_gpu
from a2m_edge.inference.executors import BoundExecutor
from a2m_edge.inference.providers import CPU, CUDA, CUDA_OPTIONS, require_cuda
from a2m_edge.inference.sessions import session_options
from a2m_edge.inference.shapes import Profile
from a2m_edge.inference.tensorrt.build import build_plan
from a2m_edge.inference.tensorrt.executor import EngineExecutor
from a2m_edge.inference.tensorrt.opening import TensorRt, find_tensorrt
from export.graphs.export import OPSET, GraphPlan, export_graph
from export.graphs.half import to_half
from training.models.cropped_generator import Convolution, CroppedGenerator, Upsampling
from training.models.hifigan import CONFIGS, Generator, GeneratorConfig
from training.models.vocoders.architectures import PUBLIC_FORMAT

BATCHES = (1, 8, 32)
"""Streams that are rendered in one run."""

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16}
_SHORTEST, _FEWEST, _WARM = 1.0, 20, 5
_MATRIX, _COPIED = 8192, 1 << 30

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Mel float32 [batch, bands, frames] to waveform [batch, 1, samples], both in the computer's memory."""


@dataclass(frozen=True)
class Cost:
    """What one run of a vocoder takes at least.

    Attributes:
        operations: floating-point multiplications and additions.
        values: weights, and numbers that its convolutions read and write.
    """

    operations: float
    values: float


@dataclass(frozen=True)
class Ceiling:
    """What a GPU was measured to do at most in one precision.

    Attributes:
        operations: per second.
        bytes: read and written per second.
        width: bytes of a value.
    """

    operations: float
    bytes: float
    width: int

    def shortest(self, cost: Cost) -> float:
        """Seconds that a run of this cost takes at least."""
        return max(cost.operations / self.operations, cost.values * self.width / self.bytes)


@dataclass(frozen=True)
class VocoderTiming:
    """One line of the table.

    Attributes:
        model, batch, way, precision: what was run.
        seconds: median of one run.
        audio: seconds of sound in one run.
        shortest: seconds that the GPU takes at least.
        agreement: signal-to-noise ratio in dB against PyTorch in fp32 on the CPU.
    """

    model: str
    batch: int
    way: str
    precision: str
    seconds: float
    audio: float
    shortest: float
    agreement: float


def random_vocoder(config: GeneratorConfig) -> Generator:
    """A generator with seeded random weights, whose sound is neither silent nor clipped."""
    torch.manual_seed(0)
    vocoder = Generator(config).eval()
    with torch.no_grad():
        for parameter in vocoder.parameters():
            if parameter.dim() > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="linear")
            else:
                parameter.zero_()
        mel = torch.linspace(-3, -9, config.mel_bands)[:, None] + torch.randn(1, config.mel_bands, 64)
        vocoder.conv_post.weight.mul_(0.1 / torch.atanh(vocoder(mel).clamp(-0.999, 0.999)).std())
    return vocoder


def cost(config: GeneratorConfig, batch: int, frames: int) -> Cost:
    """Counts a run that sounds so many frames; computes none of it."""
    with torch.device("meta"):
        vocoder = CroppedGenerator(Generator(config), PUBLIC_FORMAT.edge)
        mel = torch.zeros(batch, config.mel_bands, vocoder.context + frames + vocoder.context)
    moved = 0

    def count(_: nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        nonlocal moved
        moved += inputs[0].numel() + output.numel()

    convolutions = [part for part in vocoder.modules() if isinstance(part, Convolution | Upsampling)]
    for part in convolutions:
        part.register_forward_hook(count)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        vocoder(mel)
    weights = sum(parameter.numel() for parameter in vocoder.parameters())
    return Cost(float(counter.get_total_flops()), float(weights + moved))


def ceilings() -> dict[str, Ceiling]:
    """What this GPU does at most, by precision."""
    copied = torch.empty(_COPIED, dtype=torch.uint8, device="cuda")
    moved = 2 * _COPIED / _timed(partial(_copy, copied))
    found = {}
    for name, dtype in PRECISIONS.items():
        matrix = torch.randn(_MATRIX, _MATRIX, dtype=dtype, device="cuda")
        operations = 2 * _MATRIX**3 / _timed(partial(_product, matrix))
        found[name] = Ceiling(operations, moved, matrix.element_size())
    return found


def rows(batches: tuple[int, ...] = BATCHES) -> Iterator[VocoderTiming]:
    """Measures every model at every batch by every way, one after the other.

    Raises:
        DeviceError: ONNX Runtime or TensorRT cannot use the GPU.
    """
    require_cuda(onnxruntime)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32 everywhere
    tensorrt, highest, audio = find_tensorrt(), ceilings(), PUBLIC_FORMAT
    generator = np.random.default_rng(0)
    for name, config in CONFIGS.items():
        vocoder = CroppedGenerator(random_vocoder(config), audio.edge).eval()
        frames = vocoder.context + audio.chunk_frames + vocoder.context
        for batch in batches:
            slope = np.linspace(-3, -9, config.mel_bands, dtype=np.float32)[:, None]
            mel = slope + generator.standard_normal((batch, config.mel_bands, frames), np.float32)
            with torch.no_grad():
                expected = vocoder(torch.from_numpy(mel)).numpy()
            needed = cost(config, batch, audio.chunk_frames)
            for precision in PRECISIONS:
                for way, run in _ways(vocoder, mel, precision, tensorrt):
                    agreement = signal_to_noise(expected, run(mel))
                    seconds = _timed(partial(run, mel))
                    shortest = highest[precision].shortest(needed)
                    sound = batch * audio.seconds(audio.chunk_frames)
                    yield VocoderTiming(
                        f"HiFi-GAN {name.upper()}", batch, way, precision, seconds, sound, shortest, agreement
                    )


def _ways(
    vocoder: CroppedGenerator, mel: NDArray[np.float32], precision: str, tensorrt: TensorRt | None
) -> Iterator[tuple[str, Run]]:
    module = deepcopy(vocoder).to("cuda", PRECISIONS[precision])
    yield "PyTorch eager", _torch_run(module, precision)
    yield "torch.compile", _torch_run(torch.compile(module, dynamic=False), precision)
    del module
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vocoder.onnx")
        plan = _plan(vocoder, mel.shape[1])
        graph = export_graph(plan)
        path.write_bytes((to_half(graph) if precision == "fp16" else graph).SerializeToString())
        session = onnxruntime.InferenceSession(
            str(path), session_options(), providers=[(CUDA, CUDA_OPTIONS), CPU], enable_fallback=0
        )
        if session.get_providers()[0] != CUDA:
            raise DeviceError("onnxruntime gave no session on the GPU: see its message above")
        yield "ONNX Runtime CUDA", _executed(BoundExecutor(onnxruntime, session, "cuda"))
        if tensorrt is None:
            return
        shape = {"mel": mel.shape}
        profiles = (Profile(shape, shape, shape),)
        built = build_plan(tensorrt.module, path, profiles, b"", "vocoder", None)
        description = Graph("vocoder.onnx", OPSET, plan.inputs, plan.outputs)
        engine = EngineExecutor(tensorrt.module, tensorrt.runtime, built.content, profiles, description)
        yield f"TensorRT {tensorrt.version}", _executed(engine)


def _plan(vocoder: CroppedGenerator, bands: int) -> GraphPlan:
    def sample(batch: int, length: int, generator: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
        return (generator.standard_normal((batch, bands, 2 * vocoder.context + length), np.float32),)

    inputs = (Tensor("mel", "float32", ("batch", bands, "frames")),)
    outputs = (Tensor("waveform", "float32", ("batch", 1, "samples")),)
    return GraphPlan("vocoder", vocoder, inputs, outputs, sample, ())


def _torch_run(module: Any, precision: str) -> Run:
    def run(mel: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            waveform: torch.Tensor = module(torch.from_numpy(mel).to("cuda", PRECISIONS[precision]))
        array: NDArray[np.float32] = waveform.float().cpu().numpy()
        return array

    return run


def _executed(executor: BoundExecutor | EngineExecutor) -> Run:
    return lambda mel: np.asarray(executor.run({"mel": mel})["waveform"])


def _product(matrix: torch.Tensor) -> None:
    _ = matrix @ matrix
    torch.cuda.synchronize()


def _copy(values: torch.Tensor) -> None:
    _ = values.clone()
    torch.cuda.synchronize()


def _timed(run: Callable[[], object]) -> float:
    """Median seconds of a run that ends when its result is there."""
    for _ in range(_WARM):
        run()
    times: list[float] = []
    begun = perf_counter()
    while len(times) < _FEWEST or perf_counter() - begun < _SHORTEST:
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return median(times)


def heading(gpu: Gpu) -> str:
    """What was measured on, and the head of the table."""
    return (
        f"{gpu.name} (compute capability {gpu.capability}), PyTorch {torch.__version__}, ONNX Runtime "
        f"{onnxruntime.__version__}; chunks of {PUBLIC_FORMAT.chunk_frames} frames with their context, medians.\n\n"
        "| model | streams | by | precision | ms | × real time | of the limit | signal-to-noise |\n"
        "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: |\n"
    )


def line(row: VocoderTiming) -> str:
    """A row in Markdown."""
    return (
        f"| {row.model} | {row.batch} | {row.way} | {row.precision} | {row.seconds * 1e3:.2f} "
        f"| {row.audio / row.seconds:.0f} | {100 * row.shortest / row.seconds:.0f} % | {row.agreement:.0f} dB |\n"
    )


def main() -> None:
    """Prints the table, row by row."""
    try:
        gpu = find_gpu()
        typer.echo(heading(gpu), nl=False)
        for row in rows():
            typer.echo(line(row), nl=False)
    except A2MError as error:
        typer.echo(f"gpu_table: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
