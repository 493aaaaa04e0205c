"""Twilio's Messages API on this machine, for tests, demonstrations and development. It never talks to Twilio."""

from twilio_component.emulator.emulator import Emulator

__all__ = ["Emulator"]
