"""Two numbers, calculated with."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twilio_component.host.errors import PerformError

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Number = int | float


async def add(_context: Context, inputs: dict[str, Any]) -> Number:
    """The sum."""
    return _calculate(operator.add, inputs)


async def subtract(_context: Context, inputs: dict[str, Any]) -> Number:
    """The difference."""
    return _calculate(operator.sub, inputs)


async def multiply(_context: Context, inputs: dict[str, Any]) -> Number:
    """The product."""
    return _calculate(operator.mul, inputs)


async def divide(_context: Context, inputs: dict[str, Any]) -> Number:
    """The quotient; raises ``PerformError`` for a division by 0."""
    return _calculate(operator.truediv, inputs)


def _calculate(operation: Callable[[Number, Number], Number], inputs: dict[str, Any]) -> Number:
    try:
        result = operation(inputs["left"], inputs["right"])
    except (ZeroDivisionError, OverflowError) as error:
        raise PerformError(f"there is no result: {error}") from error
    return int(result) if isinstance(result, float) and result.is_integer() else result
