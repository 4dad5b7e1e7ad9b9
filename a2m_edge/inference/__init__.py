"""Running the graphs of a bundle: ONNX Runtime, TensorRT, and the devices they run on."""
