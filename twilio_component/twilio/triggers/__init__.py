"""The triggers: async functions ``perform(context, payload, inputs) -> payload`` that the manifest names."""
