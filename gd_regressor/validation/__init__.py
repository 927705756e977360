"""Cross-validation: the errors of many models on held-out rows, from sums of the rows alone."""
