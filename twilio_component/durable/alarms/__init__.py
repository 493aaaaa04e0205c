"""Alarms: an operator is told of runs that failed, whose outcome is unknown, or whose list stopped."""
