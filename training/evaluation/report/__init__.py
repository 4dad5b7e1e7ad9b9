"""The report: its structure, and the page that it becomes."""
