"""Runs flows in this process: invokes actions, reads configuration and lists."""
