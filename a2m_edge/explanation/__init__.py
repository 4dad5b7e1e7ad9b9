"""Why the music is as it is: its strongest causes, found by taking each away, and the words that tell them."""
