"""The exhibit: camera, comments, speaker and page around one soundscape."""
