"""What models that training never saw hear in the sounds."""
