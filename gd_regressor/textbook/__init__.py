"""learning_rate as a number: the iterates of the textbooks."""
