"""Alarms: notifications to an operator about runs that failed, whose outcome is unknown, or whose list stopped."""
