"""What is seen and read: pictures and comments, made ready for the encoders, and encoded."""
