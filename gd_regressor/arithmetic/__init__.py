"""Numbers and processors: twice the working precision, slices of bits, units, and threads."""
