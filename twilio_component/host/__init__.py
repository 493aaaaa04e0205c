"""The host: finds components and runs them. Knows no Twilio."""
