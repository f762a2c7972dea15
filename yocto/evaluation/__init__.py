"""What tokenizers and models are worth: figures on texts."""
