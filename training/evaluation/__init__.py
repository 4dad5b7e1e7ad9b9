"""A bundle held against data that training never saw: numbers, rows of sounds, and a report."""
