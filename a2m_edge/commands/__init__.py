"""The commands of the runtime, and the tables that they print."""
