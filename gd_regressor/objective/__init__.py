"""The loss F: on the rows, on their moments, in twice the working precision."""
