"""From checkpoints to a bundle: graphs, parity, quantisation."""
