"""What the pages may ask for and send."""
