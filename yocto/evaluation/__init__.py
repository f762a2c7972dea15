"""How good a model is: the loss of a text in bits per byte, and accuracy in tasks of the public sort."""
