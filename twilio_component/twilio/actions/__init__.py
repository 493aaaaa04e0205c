"""The Twilio component's actions: plain async functions `(context, inputs) -> data`."""
