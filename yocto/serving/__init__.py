"""A model for others: an OpenAI-compatible server."""
