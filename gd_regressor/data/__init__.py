"""The rows: tables of every kind, checks of their values, and sums over them."""
