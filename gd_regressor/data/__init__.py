"""The rows: tables of every kind, what is checked of them, and the sums that are made of them."""
