"""Texts and pictures embedded once, and the sets that training reads."""
