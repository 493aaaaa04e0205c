"""Mistakes that a type checker must find; each line with one says so."""

from __future__ import annotations

from twilio_component import BlockingHost, Host, verify
from twilio_component.host import Action, Display, Page, nonsense  # wrong

host = BlockingHost.discover()
host.invoke_action("twilio", 5)  # wrong
host.invoke_acton("twilio", "sendSMS")  # wrong
number: int = host.invoke_action("twilio", "sendSMS")  # wrong
Host(transport="http://x")  # wrong
verify("https://example.com", {}, "text")  # wrong
Action(key="a", display="A", perform=print)  # wrong
Page(items=5)  # wrong
Display()  # wrong
