"""Carries stored runs out: queue, replay, schedules."""
