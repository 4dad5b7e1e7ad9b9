"""The torch side of a2m-edge: data sets, models, losses, trainers and evaluation."""
