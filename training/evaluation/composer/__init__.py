"""What is composed, beside scores that people wrote."""
