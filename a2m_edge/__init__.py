"""a2m-edge: an artwork and a visitor's comment become a living soundscape (Art2Music, arXiv 2512.00120)."""

import os

__version__ = "0.1.0"

# Newer wheels of ONNX Runtime keep an identifier of the machine in the user's cache and send events over the network
# unless this is set before onnxruntime is first imported (https://github.com/microsoft/onnxruntime/pull/27379).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
