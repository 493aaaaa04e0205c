"""Loops with many iterations, executed in chunks by all processes."""
