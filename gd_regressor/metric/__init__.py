"""The metric P, which turns a gradient into a direction."""
