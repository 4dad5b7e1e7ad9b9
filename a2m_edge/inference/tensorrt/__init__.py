"""TensorRT engines: built, proven and kept on the machine that runs them."""
