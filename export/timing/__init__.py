"""What each way to run a graph costs."""
