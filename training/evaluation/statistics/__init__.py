"""Measures and their uncertainty, of numbers alone."""
