"""Measurements of `gd_regressor` beside its peers: ``python -m benchmarks``."""
