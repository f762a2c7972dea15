"""From logits to ids; knows nothing of text."""
