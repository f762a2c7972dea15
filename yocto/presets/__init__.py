"""Named settings, in the format that --config reads."""
