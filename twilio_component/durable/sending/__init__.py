"""Sends at most once: intents, the guard, throttling and rate limits."""
