"""Rows that come once: what is kept of them, and the descent on that."""
