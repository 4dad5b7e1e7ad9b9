"""What is exported is held against its model."""
