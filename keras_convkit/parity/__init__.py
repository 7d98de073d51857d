"""Numerical parity: the float64 NumPy reference and what is compared with it."""
