"""How often a serving process looks for garbage: rarely.

Python's collector looks at what was made since its last look after each 700 new objects. With a hundred sends under way
most of those are still in use: it looks at them in vain, and again with the older ones, which is a tenth of the
processor time of a send in a list. What counts references frees nearly everything here at once.
"""

from __future__ import annotations

import gc

_NEW_OBJECTS = 10_000


def collect_rarely() -> None:
    """Let this process look for garbage after ten thousand new objects. For a process that does nothing but serve."""
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
