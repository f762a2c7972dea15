"""The GPT and its key-value cache."""
