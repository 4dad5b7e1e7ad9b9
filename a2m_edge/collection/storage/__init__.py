"""Where the results of a collection go: a folder, or what fsspec reaches."""
