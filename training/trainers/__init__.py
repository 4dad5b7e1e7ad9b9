"""One trainer for each model: its data, its loss, its validation."""
