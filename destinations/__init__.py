"""One module per kind of destination; the file's name is the kind."""
