"""ArtiCaps: which utterance goes with which caption."""
