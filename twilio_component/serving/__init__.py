"""Flows served over HTTP: webhooks in, schedules kept. Needs the extra ``serve``; nothing is imported here."""
