"""What a picture and a comment are to the music: what is felt, what is shown, how it is painted, where one looks."""
