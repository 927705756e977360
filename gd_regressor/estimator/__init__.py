"""What stands between the estimator's public verbs and a descent."""
