"""The emulator behind a socket, or behind an httpx client."""
