"""What comparisons say, and how surely: a model of utilities, and probabilities that hold."""
