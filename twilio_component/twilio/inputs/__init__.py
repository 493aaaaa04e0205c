"""The functions that the manifest names under ``clean``: each normalises and checks one input."""
