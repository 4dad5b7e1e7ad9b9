"""What ``a2m-edge bundle info`` and ``verify`` show."""

from __future__ import annotations

import numpy as np

from a2m_edge.bundle import Bundle
from a2m_edge.bundle.manifest import MANIFEST, MANY_LANGUAGES, DecoderContext, Manifest
from a2m_edge.errors import BundleError
from a2m_edge.inference.sessions import open_session
from a2m_edge.soundscape import Soundscape
from a2m_edge.terminal import Figures, Table, print_tables


def print_info(bundle: Bundle) -> None:
    """What the bundle is, its graphs, and its figures, on standard output."""
    manifest, audio = bundle.manifest, bundle.manifest.audio
    facts = Table(f"{manifest.name} {manifest.version}", ("", ""))
    size = sum(record.size for record in manifest.files.values())
    for name, value in {
        "folder": str(bundle.path),
        "licence": manifest.licence,
        "hash": bundle.hash,
        **({"encoder": manifest.encoder} if manifest.encoder else {}),
        "size": f"{size / 2**20:.1f} MiB in {len(manifest.files)} files",
        "sound": str(audio),
        "comments": f"{_language(manifest.text.language)}, up to {manifest.text.context_length} tokens",
        "pictures": f"{manifest.image.size} x {manifest.image.size} pixels",
        **_decoding(manifest),
    }.items():
        facts.add(name, value)
    graphs = Table("graphs", ("graph", Figures("opset"), "", "tensor", "type", "shape"))
    for name, graph in manifest.graphs.items():
        tensors = [("in", tensor) for tensor in graph.inputs] + [("out", tensor) for tensor in graph.outputs]
        for place, (way, tensor) in enumerate(tensors):
            once = ("", "") if place else (name, str(graph.opset))
            graphs.add(*once, way, tensor.name, tensor.dtype, f"[{', '.join(map(str, tensor.shape))}]")
    tables = [facts, graphs]
    for title, figures in (("measured", manifest.measured), ("parity with the models", manifest.parity)):
        table = Table(title, ("", Figures("")))
        for name, figure in _flat(figures).items():
            table.add(name, figure)
        if figures:
            tables.append(table)
    print_tables(*tables)


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
    title = f"{bundle.manifest.name} {bundle.manifest.version} is whole"
    files = Table(title, ("file", Figures("bytes"), "SHA-256 begins", "runs on"))
    running = {graph.file: devices[name] for name, graph in bundle.manifest.graphs.items()}
    for name, record in bundle.manifest.files.items():
        files.add(name, f"{record.size:,}", record.sha256[:16], running.get(name, ""))
    print_tables(files)


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


def _language(tag: str) -> str:
    return "many languages" if tag == MANY_LANGUAGES else tag
