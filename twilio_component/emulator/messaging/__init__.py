"""What happens to messages: sending, their lifecycle, inbound messages and TwiML."""
