"""The ways to sound a held-out pair, and the material they need."""
