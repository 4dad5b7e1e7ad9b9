"""Scores that were played: realisations, arrangements, orchestrations, recordings."""
