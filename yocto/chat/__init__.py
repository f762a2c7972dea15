"""Conversations: how models want them written, their turns, and the files they are kept in."""
