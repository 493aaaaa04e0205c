"""The actions: async functions ``perform(context, inputs) -> data`` that the manifest names."""
