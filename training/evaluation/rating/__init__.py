"""A language model rates the sounds, blinded."""
