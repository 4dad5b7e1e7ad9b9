"""What every vocoder has to be, and the architectures that are known."""
