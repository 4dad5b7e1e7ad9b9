"""Scores as MIDI, and what is counted in them."""
