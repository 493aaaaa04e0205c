"""Flows that survive the death of their process. Knows no Twilio; needs the extra ``serve``.

`engine` runs executions as DBOS workflows, `store` keeps their state, and `sending` performs an action that must not be
repeated at most once. Nothing is imported here: every part costs half a second.
"""
