"""What a visitor says into a microphone becomes a text, which they see and may send. Nothing of it is kept."""
