"""One picture, one comment, or both, rendered to files: the sound, the facts, and a picture of the whole."""
