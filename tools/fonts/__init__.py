"""The fonts that come with the pages."""
