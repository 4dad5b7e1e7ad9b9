"""Texts before they are embedded: how one is cleaned and cut into tokens; and how a tower for many languages begins."""
