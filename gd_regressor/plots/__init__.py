"""Pictures of a fitted model. We import matplotlib only to draw: the base install has none."""
