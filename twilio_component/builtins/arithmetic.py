"""Numbers, calculated with."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from twilio_component.builtins.expression import evaluate_expression
from twilio_component.builtins.formats import parse_json
from twilio_component.flows.expressions.conversions import as_number
from twilio_component.host.errors import PerformError

if TYPE_CHECKING:
    from twilio_component.host.context import Context

Number = int | float
Perform = Callable[["Context", dict[str, Any]], Awaitable[Number]]


def _of_list(operation: Callable[[Sequence[Number]], Number]) -> Perform:
    async def perform(_context: Context, inputs: dict[str, Any]) -> Number:
        """Calculate with the numbers; raises ``PerformError`` where there is no result."""
        return _calculate(operation, _numbers(inputs))

    return perform


def _of_number(operation: Callable[[Number], Number]) -> Perform:
    async def perform(_context: Context, inputs: dict[str, Any]) -> Number:
        """Calculate with the number; raises ``PerformError`` where there is no result."""
        return _calculate(operation, inputs["number"])

    return perform


def _numbers(inputs: dict[str, Any]) -> list[Number]:
    given = inputs.get("dynamicNumbers") or inputs.get("numbers") or []
    values = parse_json(given) if isinstance(given, str) else given
    if not isinstance(values, list):
        raise PerformError("the numbers must be a list")
    return [as_number(value) for value in values]


def _calculate(operation: Callable[..., Number], *values: Any) -> Number:
    try:
        result = operation(*values)
    except (ZeroDivisionError, OverflowError, ValueError, TypeError) as error:
        raise PerformError(f"there is no result: {error}") from error
    if isinstance(result, complex) or not math.isfinite(result):
        raise PerformError("there is no result: it is not a finite number")
    return int(result) if isinstance(result, float) and result.is_integer() else result


def _round(value: Number) -> Number:
    return math.floor(value + 0.5)  # JavaScript rounds a half up, Python to the even number


def _single_precision(value: Number) -> Number:
    import struct

    single: float = struct.unpack("f", struct.pack("f", value))[0]
    return single


add = _of_list(sum)
subtract = _of_list(lambda values: reduce(lambda left, right: left - right, values) if values else 0)
multiply = _of_list(lambda values: reduce(lambda left, right: left * right, values) if values else 0)
divide = _of_list(lambda values: reduce(lambda left, right: left / right, values) if values else 0)
hypotenuse = _of_list(lambda values: math.hypot(*values))
maximum = _of_list(max)
minimum = _of_list(min)

absolute = _of_number(abs)
arccosine = _of_number(math.acos)
hyperbolic_arccosine = _of_number(math.acosh)
arcsine = _of_number(math.asin)
hyperbolic_arcsine = _of_number(math.asinh)
arctangent = _of_number(math.atan)
hyperbolic_arctangent = _of_number(math.atanh)
cube_root = _of_number(math.cbrt)
ceiling = _of_number(math.ceil)
cosine = _of_number(math.cos)
hyperbolic_cosine = _of_number(math.cosh)
exponential = _of_number(math.exp)
floor = _of_number(math.floor)
single_precision = _of_number(_single_precision)
natural_logarithm = _of_number(math.log)
round_half_up = _of_number(_round)
sine = _of_number(math.sin)
hyperbolic_sine = _of_number(math.sinh)
square_root = _of_number(math.sqrt)
tangent = _of_number(math.tan)
hyperbolic_tangent = _of_number(math.tanh)
truncate = _of_number(math.trunc)


async def logarithm(_context: Context, inputs: dict[str, Any]) -> Number:
    """The logarithm of the number to a base."""
    return _calculate(math.log, inputs["number"], inputs["base"])


async def power(_context: Context, inputs: dict[str, Any]) -> Number:
    """The base to the power of the exponent."""
    return _calculate(math.pow, inputs["base"], inputs["exponent"])


async def random_integer(_context: Context, inputs: dict[str, Any]) -> Number:
    """A whole number between two others, both possible."""
    return _calculate(random.randint, math.ceil(inputs["min"]), math.floor(inputs["max"]))


async def random_number(_context: Context, inputs: dict[str, Any]) -> Number:
    """A number between two others."""
    return _calculate(random.uniform, inputs["min"], inputs["max"])


async def evaluate(_context: Context, inputs: dict[str, Any]) -> Number:
    """The value of an expression such as ``2 * (3 + 7)``; raises ``PerformError`` for what is not one."""
    return _calculate(evaluate_expression, inputs["expression"])
