"""The component's own manifest."""

from pathlib import Path

from twilio_component.host import check_manifest, load_component
from twilio_component.twilio.plugin import manifest_file


def test_the_manifest_has_no_mistake() -> None:
    assert check_manifest(manifest_file()) == []


def test_it_declares_what_is_documented() -> None:
    component = load_component(Path(manifest_file()))

    assert component.key == "twilio"
    assert (component.display.label, component.display.description) == ("Twilio", "Send SMS messages through Twilio")
    assert [*component.connections] == ["apiKeySecret", "basic"]
    triggers = ["webhook", "inboundMessage", "statusCallback", "conversationEvent", "pollChangesTrigger"]
    assert [*component.triggers] == triggers
    assert {"sendSMS", "getSMS", "listMessages", "rawRequest"} <= set(component.actions)
