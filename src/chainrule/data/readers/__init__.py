"""Files as tables, a file a format."""
