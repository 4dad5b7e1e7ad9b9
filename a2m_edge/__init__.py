"""a2m-edge: an artwork and a visitor's comment become a living soundscape (Art2Music, arXiv 2512.00120)."""

__version__ = "0.1.0"
