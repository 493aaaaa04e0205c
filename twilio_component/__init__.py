"""Twilio for integration flows: a component, its host, its test harness and its emulator."""
