"""The Twilio component's data sources: lists to choose an input from, `(context, inputs) -> [{"label", "key"}]`."""
