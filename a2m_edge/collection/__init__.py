"""A whole collection rendered to sound files: where its works come from, how they are done, what is written."""
