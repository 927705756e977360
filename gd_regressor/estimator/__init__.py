"""From the public verbs of the estimator to a descent, and back with one warning."""
