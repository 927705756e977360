"""Pictures of a fitted model; matplotlib is imported when drawing."""
