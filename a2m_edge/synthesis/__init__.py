"""From a score to sound: mel frames, what the notes excite, and the vocoder."""
