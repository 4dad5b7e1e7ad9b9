"""The table of ``docs/export.md``: what each model costs in each format and precision, with PyTorch in the same run."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import get_args

import numpy as np
import onnxruntime
import torch
from torch import nn

from a2m_edge.audio import CHUNK_FRAMES
from a2m_edge.bundle import Precision
from a2m_edge.errors import ExportError
from a2m_edge.output import written_aside
from a2m_edge.sessions import session_options
from export.graph_files import GraphFile, Precisions, export_graphs
from export.graphs import Arrays, GraphPlan
from export.losses import check_losses
from export.models import Models
from export.parity import Check, check_graph, run_module, summary
from training.models.encoders import load_encoder
from training.models.fusion import Fusion, FusionConfig
from training.models.hifigan import CONFIGS, Generator, receptive_field_frames
from training.models.mel_decoder import MelDecoder, PaperDecoder, PaperDecoderConfig

OPEN_CLIP = ("ViT-B-32", "RN50", "MobileCLIP-S1")
"""One encoder of each kind: a transformer, a convolutional network with attention on top, and one of timm."""

BEGIN, END = "<!-- table -->", "<!-- end of table -->"
"""Between these lines of a Markdown file stands the table."""

WORDS = 16
"""Tokens of the comment that is encoded."""

_SHORTEST_RUN, _FEWEST_RUNS = 2.0, 5


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        title: for the table.
        models: whose graphs they are.
        graphs: those that are measured, by name.
    """

    title: str
    models: Models
    graphs: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        model, graph, form, precision: what it is.
        megabytes: 1,000,000 bytes of its files.
        agreement: the worst of each measure: of an fp32 graph against PyTorch, of a smaller one against the fp32.
        runtime, torch: median seconds of one run, in ONNX Runtime and in PyTorch.
        audio: seconds of sound in one run; None for an encoder.
    """

    model: str
    graph: str
    form: str
    precision: Precision
    megabytes: float
    agreement: str
    runtime: float
    torch: float
    audio: float | None


def measure(subjects: Iterable[Subject], threads: int) -> Iterator[Row]:
    """Exports and measures; graphs in precisions that do not suit them are left out."""
    torch.set_num_threads(threads)
    for subject in subjects:
        for precision in get_args(Precision):
            with TemporaryDirectory(prefix="a2m-table-") as folder:
                shipped, full = Path(folder, "shipped"), Path(folder, "full")
                shipped.mkdir()
                full.mkdir()
                graphs = export_graphs(subject.models, shipped, full, Precisions(precision), only=subject.graphs)
                for graph in graphs.values():
                    if graph.description.precision == precision:
                        yield _row(subject, graph, threads)


def _row(subject: Subject, graph: GraphFile, threads: int) -> Row:
    plan, precision = graph.plan, graph.description.precision
    exact = precision == "fp32"
    checks = check_graph(plan, graph.full) if exact else check_losses({plan.name: graph}, subject.models)
    inputs, audio = work(subject.models, plan)
    session = onnxruntime.InferenceSession(
        str(graph.shipped), session_options(threads), providers=["CPUExecutionProvider"]
    )
    feeds = {tensor.name: array for tensor, array in zip(plan.inputs, inputs, strict=True)}
    runtime, eager = interleaved(lambda: session.run(None, feeds), lambda: run_module(plan, inputs))
    files = [graph.shipped, *(graph.shipped.parent / name for name in graph.description.data)]
    size = sum(file.stat().st_size for file in files) / 1e6
    return Row(subject.title, plan.name, "onnx", precision, size, _worst(checks), runtime, eager, audio)


def work(models: Models, plan: GraphPlan) -> tuple[Arrays, float | None]:
    """The inputs of one run as the kiosk has them, and the seconds of sound that the run is for."""
    length, audio = WORDS, None
    if plan.name == "mel_decoder" and isinstance(models.decoder, MelDecoder):
        context = models.decoder.config.context
        length, audio = context.left + context.window + context.right, models.audio.seconds(context.window)
    elif isinstance(models.decoder, PaperDecoder) and plan.name == "mel_decoder":
        audio = models.audio.seconds(models.decoder.config.frames)
    elif plan.name == "vocoder":
        length = CHUNK_FRAMES + 2 * receptive_field_frames(models.vocoder)
        audio = models.audio.seconds(CHUNK_FRAMES)
    return plan.sample(1, length, np.random.default_rng(2)), audio


def interleaved(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of two things that take turns, so that both meet the same machine."""
    times: tuple[list[float], list[float]] = ([], [])
    for run in (one, other, one, other):  # to warm up
        run()
    begun = perf_counter()
    while len(times[0]) < _FEWEST_RUNS or perf_counter() - begun < _SHORTEST_RUN:
        for taken, run in zip(times, (one, other), strict=True):
            start = perf_counter()
            run()
            taken.append(perf_counter() - start)
    return median(times[0]), median(times[1])


def subjects(models: Models, encoders: Iterable[str] = OPEN_CLIP) -> Iterator[Subject]:
    """What the table shows, each built when it is its turn.

    Args:
        models: the trained ones.
        encoders: OpenCLIP models, with random weights.
    """
    yield Subject("a2m-s", models, ("image_encoder", "text_encoder", "mel_decoder", "vocoder"))
    for name in encoders:
        yield Subject(name, _random_models(models, encoder=name), ("image_encoder", "text_encoder"))
    yield Subject("paper", _random_models(models), ("mel_decoder",))
    for size in CONFIGS:
        yield Subject(f"HiFi-GAN {size.upper()}", _random_models(models, vocoder=size), ("vocoder",))


def _random_models(trained: Models, encoder: str | None = None, vocoder: str = "v3") -> Models:
    """The published configuration with random weights, the same in every run.

    Args:
        trained: gives the encoder where no other is named.
        encoder: name of an OpenCLIP model.
        vocoder: size of the HiFi-GAN.
    """
    torch.manual_seed(0)
    encoding = load_encoder(encoder) if encoder else trained.encoder
    sizes = PaperDecoderConfig()
    fusion = Fusion(FusionConfig(embedding_size=encoding.embedding_size, fused_size=sizes.fused_size))
    generator = Generator(CONFIGS[vocoder])
    with torch.no_grad():
        for parameter in generator.parameters():  # as they come, they would give silence, of which nothing can be lost
            if parameter.dim() > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="leaky_relu")
    return Models(encoding, fusion.eval(), PaperDecoder(sizes).eval(), generator.eval())


def markdown(found: Iterable[Row], threads: int) -> str:
    """The table, headed by what it was measured on."""
    lines = [
        f"{_processor()}, {threads} threads, Python {platform.python_version()}, PyTorch {torch.__version__}, "
        f"ONNX Runtime {onnxruntime.__version__}; medians of runs that took turns.",
        "",
        "| model | graph | format | precision | MB | parity | ONNX Runtime | PyTorch | gain |",
        "| --- | --- | --- | --- | ---: | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.model} | {row.graph} | {row.form} | {row.precision} | {row.megabytes:.1f} | {row.agreement} "
        f"| {_speed(row, row.runtime)} | {_speed(row, row.torch)} | {row.torch / row.runtime:.2f} × |"
        for row in found
    ]
    return "\n".join(lines) + "\n"


def replace_table(path: Path, table: str) -> None:
    """Puts a table between the marks of a Markdown file.

    Raises:
        ExportError: the file cannot be read, or has no marks.
        OutputError: it cannot be written.
    """
    try:
        before, found, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read ({error}): name a Markdown file") from error
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ExportError(f"{path} has no place for a table: write the lines  {BEGIN}  and  {END}  into it")
    with written_aside(path) as stream:
        stream.write(f"{before}{BEGIN}\n{table}{END}{after}".encode())


def _worst(checks: Iterable[Check]) -> str:
    """The worst figure of each measure."""
    figures = next(iter(summary(checks).values()))
    return "; ".join(f"{what} {numbers['worst']:.7g}" for what, numbers in figures.items())


def _speed(row: Row, seconds: float) -> str:
    """Milliseconds of a run, and how many times faster than real time that is for sound."""
    real_time = "" if row.audio is None else f" ({row.audio / seconds:.1f} × real time)"
    return f"{seconds * 1e3:.1f} ms{real_time}"


def _processor() -> str:
    """What the processor calls itself."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
