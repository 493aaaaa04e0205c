"""Inputs as people give them, converted and checked against their schema."""
