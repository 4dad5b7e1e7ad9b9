"""Where the music looks in pictures, measured."""
