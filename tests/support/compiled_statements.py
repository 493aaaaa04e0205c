"""Compiled statements: each engine of SQLAlchemy makes its own, and most tests with a database have several engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.util import LRUCache

_MOST = 5_000


@contextmanager
def compiled_once() -> Iterator[None]:
    """Let all engines of one dialect share what has been compiled, otherwise a third of the work of such a test."""
    known: LRUCache[Any, Any] = LRUCache(_MOST)

    def of(engine: Any) -> Any:
        return engine.__dict__["_compiled_cache"]

    def share(engine: Any, own: Any) -> None:
        engine.__dict__["_compiled_cache"] = None if own is None else _OfDialect(known, engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "_compiled_cache", property(of, share), raising=False)
        yield


class _OfDialect:
    """A cache of statements whose keys begin with the dialect: one object for each engine, but alike."""

    def __init__(self, known: LRUCache[Any, Any], engine: Engine) -> None:
        self._known = known
        self._kind = (type(engine.dialect), engine.dialect.paramstyle)

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return self._known.get((self._kind, *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        self._known[self._kind, *key[1:]] = compiled

    def clear(self) -> None:
        self._known.clear()
