"""The metric P: the matrix that turns a gradient into a direction."""
