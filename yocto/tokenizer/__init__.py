"""Tokenizers written here from scratch."""
