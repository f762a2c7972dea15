"""Models in the formats of other tools, read and written."""
