"""What a small causal language model knows of an answer, as numbers to learn from."""
