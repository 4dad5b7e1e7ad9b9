"""a2m-edge: an artwork and a visitor's comment become a living soundscape (Art2Music, arXiv 2512.00120).

What other programs need stands here. It is imported when it is first used, so that ``import a2m_edge`` costs nothing::

    import a2m_edge

    soundscape = a2m_edge.Soundscape(a2m_edge.open_bundle())
    soundscape.hear("The waves make me feel at peace")
    for chunk in soundscape.chunks(frames=860):
        ...  # float32 samples in chunk.samples, chunk.sample_rate of them a second
"""

import os
from typing import TYPE_CHECKING

from a2m_edge.errors import (
    A2MError,
    BundleError,
    CheckpointError,
    CollectionError,
    CommentError,
    DataError,
    DeviceError,
    EngineCacheError,
    ExportError,
    MissingExtraError,
    OptionError,
    OutputError,
    PictureError,
)
from a2m_edge.version import __version__

if TYPE_CHECKING:
    from a2m_edge.bundle import Bundle, open_bundle
    from a2m_edge.perception.pictures import read_picture
    from a2m_edge.rendering.render import Request, render, write_render
    from a2m_edge.sound.format import AudioChunk
    from a2m_edge.soundscape import Soundscape

__all__ = [
    "A2MError",
    "AudioChunk",
    "Bundle",
    "BundleError",
    "CheckpointError",
    "CollectionError",
    "CommentError",
    "DataError",
    "DeviceError",
    "EngineCacheError",
    "ExportError",
    "MissingExtraError",
    "OptionError",
    "OutputError",
    "PictureError",
    "Request",
    "Soundscape",
    "__version__",
    "open_bundle",
    "read_picture",
    "render",
    "write_render",
]

# Newer wheels of ONNX Runtime keep an identifier of the machine in the user's cache and send events over the network
# unless this is set before onnxruntime is first imported (https://github.com/microsoft/onnxruntime/pull/27379).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if not TYPE_CHECKING:  # to a type checker, every name would exist
    _HOMES = {
        "AudioChunk": "a2m_edge.sound.format",
        "Bundle": "a2m_edge.bundle",
        "Request": "a2m_edge.rendering.render",
        "Soundscape": "a2m_edge.soundscape",
        "open_bundle": "a2m_edge.bundle",
        "read_picture": "a2m_edge.perception.pictures",
        "render": "a2m_edge.rendering.render",
        "write_render": "a2m_edge.rendering.render",
    }

    def __getattr__(name):
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(home), name)
        return found

    def __dir__():
        return sorted({*globals(), *__all__})
