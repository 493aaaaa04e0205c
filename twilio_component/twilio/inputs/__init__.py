"""The functions that the manifest names under ``clean``: they complete and check one input each."""
