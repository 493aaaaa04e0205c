"""Webhooks, signed and sent as Twilio sends them."""
