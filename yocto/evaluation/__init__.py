"""How good a model is: bits per byte of a text, and accuracy in tasks of the public formats."""
