"""A number as learning_rate: the textbooks' iterates."""
