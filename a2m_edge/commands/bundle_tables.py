"""What ``a2m-edge bundle info`` and ``verify`` show."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import MANIFEST, DecoderContext, Manifest, Tensor
from a2m_edge.errors import BundleError
from a2m_edge.inference.sessions import open_session
from a2m_edge.soundscape import Soundscape


def print_info(bundle: Bundle) -> None:
    """What the bundle is, its graphs, and its figures, on standard output."""
    manifest, audio = bundle.manifest, bundle.manifest.audio
    console = Console()
    facts = _table(f"{manifest.name} {manifest.version}", "", "")
    size = sum(record.size for record in manifest.files.values())
    for name, value in {
        "folder": str(bundle.path),
        "licence": manifest.licence,
        "hash": bundle.hash,
        "size": f"{size / 2**20:.1f} MiB in {len(manifest.files)} files",
        "sound": str(audio),
        "comments": f"{manifest.text.language}, up to {manifest.text.context_length} tokens",
        "pictures": f"{manifest.image.size} x {manifest.image.size} pixels",
        **_decoding(manifest),
    }.items():
        facts.add_row(name, escape(value))
    console.print(facts)
    graphs = _table("graphs", "graph", "in", "out", "opset")
    for name, graph in manifest.graphs.items():
        graphs.add_row(name, _tensors(graph.inputs), _tensors(graph.outputs), str(graph.opset))
    console.print(graphs)
    for title, figures in (("measured", manifest.measured), ("parity with the models", manifest.parity)):
        table = _table(title, "", "")
        for name, figure in _flat(figures).items():
            table.add_row(escape(name), escape(figure))
        if figures:
            console.print(table)


def print_verification(bundle: Bundle, device: str) -> None:
    """Loads and runs every graph of an opened bundle, and lists its proven files on standard output.

    Raises:
        BundleError: a graph cannot be loaded, differs from the manifest, or yields what is no sound.
        DeviceError, MissingExtraError: the device cannot be had.
    """
    devices = {graph: open_session(bundle, graph, device).device for graph in bundle.manifest.graphs}
    soundscape = Soundscape(bundle, device=device)
    soundscape.see(np.full((64, 64, 3), 128, np.uint8))
    soundscape.hear("hello")
    decoder = bundle.manifest.decoder
    frames = decoder.window + 1 if isinstance(decoder, DecoderContext) else bundle.manifest.audio.chunk_frames
    for chunk in soundscape.chunks(frames):
        expected = (chunk.frames * bundle.manifest.audio.hop, bundle.manifest.audio.channels)
        if chunk.samples.shape != expected or not np.isfinite(chunk.samples).all():
            raise BundleError(f"the bundle {bundle.manifest.name} does not yield sound; export it again")
    files = _table(f"{bundle.manifest.name} {bundle.manifest.version} is whole", "file", "bytes", "SHA-256", "runs on")
    running = {graph.file: devices[name] for name, graph in bundle.manifest.graphs.items()}
    for name, record in bundle.manifest.files.items():
        files.add_row(name, f"{record.size:,}", f"{record.sha256[:16]}…", running.get(name, ""))
    Console().print(files)


def _decoding(manifest: Manifest) -> dict[str, str]:
    """How frames come about; roles and instruments are named only where they are heard."""
    decoder = manifest.decoder
    if isinstance(decoder, DecoderContext):
        return {
            "window": f"{decoder.window} frames with {decoder.left} before and {decoder.right} after",
            "roles": ", ".join(manifest.roles),
            "instruments": ", ".join(manifest.instruments),
        }
    seconds = manifest.audio.seconds(decoder.frames)
    return {
        "clips": f"{decoder.frames} frames ({seconds:.1f} s), of which the last {decoder.overlap} fade into the next",
        "score": "none",
    }


def _table(title: str, *columns: str) -> Table:
    table = Table(title=escape(title), title_justify="left", show_header=any(columns), header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if column in ("bytes", "opset") else "left", overflow="fold")
        if number == 0:
            table.columns[0].no_wrap = True
    return table


def _tensors(tensors: tuple[Tensor, ...]) -> str:
    return "\n".join(
        f"{tensor.name} {tensor.dtype} {escape('[' + ', '.join(str(size) for size in tensor.shape) + ']')}"
        for tensor in tensors
    )


def _flat(figures: dict[str, object], prefix: str = "") -> dict[str, str]:
    """Nested figures as one list with dotted names."""
    rows: dict[str, str] = {}
    for name, figure in figures.items():
        if isinstance(figure, dict):
            rows |= _flat(figure, f"{prefix}{name}.")
        elif isinstance(figure, list):
            rows[prefix + name] = f"{len(figure)} entries in {MANIFEST}"
        else:
            rows[prefix + name] = f"{figure:.4g}" if isinstance(figure, float) else str(figure)
    return rows
