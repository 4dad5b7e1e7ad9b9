"""The process that starts, watches and replaces the others, and carries their messages."""
