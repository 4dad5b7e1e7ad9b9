"""Models to ONNX graphs, and their precisions."""
