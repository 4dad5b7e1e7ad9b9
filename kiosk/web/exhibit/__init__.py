"""What the pages see of the exhibit, and the sound that they listen to."""
