"""Rows that come once: what we keep of them, and how we descend on it."""
