"""The version of the program, as its package and every file that it writes state it."""

__version__ = "0.1.0"
