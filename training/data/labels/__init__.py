"""The feeling of music, labelled by what its notes tell."""
