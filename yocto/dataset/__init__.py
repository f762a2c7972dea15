"""From text files to token files to batches."""
