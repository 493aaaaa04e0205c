"""The emulator's own API below ``/_emulator``, and the inbox."""
