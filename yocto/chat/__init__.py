"""Conversations: templates and turns, no input or output."""
