"""The pages: what visitors and staff see, and the sound on their phones."""
