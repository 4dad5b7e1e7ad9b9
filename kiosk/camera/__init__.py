"""The camera process: frames, the artwork in them, and when it is another one."""
