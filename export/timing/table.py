"""The table of ``docs/export.md``: what each model costs in each format and precision, with PyTorch in the same run."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import onnx
import onnxruntime
import torch

from a2m_edge.bench.report import processor_name
from a2m_edge.bundle.manifest import Precision
from a2m_edge.errors import A2MError, ExportError
from a2m_edge.inference.sessions import require_engines, session_options
from a2m_edge.ledger import claim
from a2m_edge.output import written_aside
from export.graphs.export import Arrays, GraphPlan, write_graph
from export.graphs.files import GraphFile, export_graphs
from export.graphs.precision import reduce, suits
from export.models import Models
from export.proof.parity import Check, check_graph, number, run_module, summary
from export.proof.reduction import check_reductions
from export.timing.gpu_table import random_vocoder
from training.models.encoders import load_encoder
from training.models.fusion import Fusion, FusionConfig
from training.models.hifigan import CONFIGS
from training.models.mel_decoder import MelDecoder, PaperDecoder, PaperDecoderConfig
from training.models.vocoders.architectures import PUBLIC_FORMAT

OPEN_CLIP = ("ViT-B-32", "RN50", "MobileCLIP-S1")
"""One encoder of each kind: a transformer, a convolutional network with attention on top, and one of timm."""

BEGIN, END = "<!-- table -->", "<!-- end of table -->"
"""Between these lines of a Markdown file stands the table."""

WORDS = 16
"""Tokens of the comment that is encoded."""

_LESS = ("fp16 to fp32", "fp16 and fp32", "int8 to fp32", "int8 and fp32", "fp16", "int8")
_SHORTEST_RUN, _FEWEST_RUNS = 2.0, 5


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        title: for the table.
        models: whose graphs they are.
        graphs: those that are measured, by name.
        less: the precisions beside fp32, where they suit.
    """

    title: str
    models: Models
    graphs: tuple[str, ...]
    less: tuple[Precision, ...] = ("fp16", "int8")


@dataclass(frozen=True)
class GraphMeasurement:
    """One line of the table.

    Attributes:
        model, graph, precision: what it is.
        megabytes: 1,000,000 bytes of its files.
        agreement: the worst of each measure: of an fp32 graph against PyTorch, of a smaller one against the fp32.
        runtime, torch: median seconds of one run, in ONNX Runtime and in PyTorch.
        audio: seconds of sound in one run; None for an encoder.
    """

    model: str
    graph: str
    precision: Precision
    megabytes: float
    agreement: str
    runtime: float
    torch: float
    audio: float | None


def measure(subjects: Iterable[Subject], threads: int) -> Iterator[GraphMeasurement]:
    """Exports and measures; precisions that do not suit a graph are left out."""
    torch.set_num_threads(threads)
    for subject in subjects:
        with TemporaryDirectory(prefix="a2m-table-") as folder:
            shipped, full = Path(folder, "shipped"), Path(folder, "full")
            shipped.mkdir()
            full.mkdir()
            for graph in export_graphs(subject.models, shipped, full, only=subject.graphs).values():
                yield _row(subject, graph, threads)
                for precision in subject.less:
                    less = _reduced(graph, precision)
                    if less is not None:
                        yield _row(subject, less, threads)


def _reduced(graph: GraphFile, precision: Precision) -> GraphFile | None:
    """The same graph in less precision, in the place of the one that would be shipped."""
    model = onnx.load(graph.full)
    if not suits(model, graph.plan, precision):
        return None
    graph.shipped.unlink()
    data = write_graph(reduce(model, graph.plan, precision), graph.shipped)
    return replace(graph, description=replace(graph.description, precision=precision, data=data))


def _row(subject: Subject, graph: GraphFile, threads: int) -> GraphMeasurement:
    plan, precision = graph.plan, graph.description.precision
    exact = precision == "fp32"
    checks = check_graph(plan, graph.full) if exact else check_reductions({plan.name: graph}, subject.models)
    inputs, audio = work(subject.models, plan)
    session = onnxruntime.InferenceSession(
        str(graph.shipped), session_options(threads), providers=["CPUExecutionProvider"]
    )
    feeds = {tensor.name: array for tensor, array in zip(plan.inputs, inputs, strict=True)}
    runtime, eager = interleaved(lambda: session.run(None, feeds), lambda: run_module(plan, inputs))
    files = [graph.shipped, *(graph.shipped.parent / name for name in graph.description.data)]
    size = sum(file.stat().st_size for file in files) / 1e6
    return GraphMeasurement(subject.title, plan.name, precision, size, _worst(checks, plan), runtime, eager, audio)


def work(models: Models, plan: GraphPlan) -> tuple[Arrays, float | None]:
    """The inputs of one run as the kiosk has them, and the seconds of sound that the run is for."""
    length, audio = WORDS, None
    if plan.name == "mel_decoder" and isinstance(models.decoder, MelDecoder):
        context = models.decoder.config.context
        length, audio = context.window, models.audio.seconds(context.window)
    elif isinstance(models.decoder, PaperDecoder) and plan.name == "mel_decoder":
        audio = models.audio.seconds(models.decoder.config.frames)
    elif plan.name == "vocoder":
        length = models.audio.chunk_frames
        audio = models.audio.seconds(length)
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
        yield Subject(name, random_models(models, encoder=name), ("image_encoder", "text_encoder"), ("int8",))
    yield Subject("paper", random_models(models), ("mel_decoder",))
    for size in CONFIGS:
        yield Subject(f"HiFi-GAN {size.upper()}", random_models(models, vocoder=size), ("vocoder",))


def random_models(trained: Models | None, encoder: str | None = None, vocoder: str = "v3") -> Models:
    """The published configuration with random weights, the same in every run.

    Args:
        trained: gives the encoder where no other is named; a new one is made without it.
        encoder: name of an OpenCLIP model.
        vocoder: size of the HiFi-GAN.
    """
    torch.manual_seed(0)
    encoding = trained.encoder if encoder is None and trained else load_encoder(encoder or "a2m-s")
    sizes = PaperDecoderConfig()
    fusion = Fusion(FusionConfig(embedding_size=encoding.embedding_size, fused_size=sizes.fused_size))
    decoder, generator = PaperDecoder(sizes).eval(), random_vocoder(CONFIGS[vocoder])
    return Models(encoding, fusion.eval(), decoder, generator, PUBLIC_FORMAT, PUBLIC_FORMAT)


def markdown(found: Iterable[GraphMeasurement], threads: int) -> str:
    """The table, headed by what it was measured on."""
    lines = [
        f"{processor_name()}, {threads} threads, Python {platform.python_version()}, PyTorch {torch.__version__}, "
        f"ONNX Runtime {onnxruntime.__version__}; medians of runs that took turns.",
        "",
        "| model | graph | format | precision | MB | parity | ONNX Runtime | PyTorch | gain |",
        "| --- | --- | --- | --- | ---: | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.model} | {row.graph} | ONNX | {row.precision} | {row.megabytes:.1f} | {row.agreement} "
        f"| {_speed(row, row.runtime)} | {_speed(row, row.torch)} | {row.torch / row.runtime:.2f} × |"
        for row in found
    ]
    return "\n".join([*lines, "", _engines_remark()]) + "\n"


def _engines_remark() -> str:
    """Where the figures of TensorRT are, or why there are none."""
    try:
        require_engines()
    except A2MError as error:
        return f"TensorRT: nothing measured on this machine ({str(error).partition(':')[0]})."
    return "TensorRT: `python -m export.timing.gpu_table` measures this machine's GPU."


def replace_table(path: Path, table: str) -> None:
    """Puts a table between the marks of a Markdown file.

    Raises:
        ExportError: the file cannot be read, or has no marks.
        OutputError: it cannot be written.
    """
    before, after = around_table(path)
    claim(path, force=True)  # somebody's own page: what stands between its marks is the program's, and the rest stays
    with written_aside(path) as stream:
        stream.write(f"{before}{BEGIN}\n{table}{END}{after}".encode())


def around_table(path: Path) -> tuple[str, str]:
    """What stands before and behind the table of a Markdown file.

    Raises:
        ExportError: the file cannot be read, or has no marks.
    """
    try:
        before, found, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} cannot be read ({error}): name a Markdown file") from error
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ExportError(f"{path} has no place for a table: write the lines  {BEGIN}  and  {END}  into it")
    return before, after


def _worst(checks: Iterable[Check], plan: GraphPlan) -> str:
    """The worst figure of each measure."""
    said = [f" of {tensor.name}" for tensor in plan.outputs] + [
        f" {of} {less}" for of in ("of", "by", "in") for less in _LESS
    ]
    figures = []
    for what, numbers in next(iter(summary(checks).values())).items():
        for words in said:
            what = what.replace(words, "")
        figures.append(f"{what} {number(numbers['worst'])}")
    return "; ".join(figures)


def _speed(row: GraphMeasurement, seconds: float) -> str:
    """Milliseconds of a run, and how many times faster than real time that is for sound."""
    real_time = "" if row.audio is None else f" ({row.audio / seconds:.1f} × real time)"
    return f"{seconds * 1e3:.1f} ms{real_time}"
