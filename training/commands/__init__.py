"""The commands of training: data, training, evaluation."""
