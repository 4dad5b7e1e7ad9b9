"""Measures of what is made of visitors' speech."""
