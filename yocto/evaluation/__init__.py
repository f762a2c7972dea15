"""How good models and tokenizers are: figures on texts, and in tasks of the public formats."""
