"""What the manifest's triggers run: ``async perform(context, payload, inputs) -> payload``."""
