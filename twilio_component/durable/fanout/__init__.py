"""Loops with many iterations, carried out in chunks by all processes."""
