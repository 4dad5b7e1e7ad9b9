"""The contact sheet of a collection."""
