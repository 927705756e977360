"""The loss F: on the rows, on their moments, and in twice the working precision."""
