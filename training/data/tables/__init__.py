"""Public tables and archives, read as they are."""
