"""Twilio's API on this machine, for tests, demos and development."""
