"""Numbers: twice the working precision, slices of bits, and the threads that share the work."""
