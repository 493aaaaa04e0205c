"""The components that every flow may use: triggers, control, state, data and text, and HTTP to hosts that are allowed.

Each has a manifest in ``manifests/`` and is found by the host like any other component.
"""
