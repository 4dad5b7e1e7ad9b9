"""The music process: what is seen and said becomes sound, ahead of what is played."""
