"""Sound: its format, its mel-spectrogram, levels, resampling, and files."""
