"""Arithmetic expressions as text: numbers, ``+ - * / % ^`` and parentheses, and nothing else."""

from __future__ import annotations

import math
import re

from twilio_component.host.errors import PerformError

_TOKEN = re.compile(r"\s*(?:([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?|\.[0-9]+)|(.))")
_LONGEST = 1_000
_DEEPEST = 50

Number = int | float


def evaluate_expression(text: str) -> Number:
    """The value of the expression; raises ``PerformError`` for anything else, and ``ZeroDivisionError``."""
    if len(text) > _LONGEST:
        raise PerformError(f"the expression is longer than {_LONGEST:,} characters")
    parser = _Parser([number or sign for number, sign in _TOKEN.findall(text.strip())])
    value = parser.sum(0)
    if parser.sign:
        raise PerformError(f"the expression cannot be read from '{parser.sign}' on")
    return value


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def sign(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        sign = self.sign
        self._at += 1
        return sign

    def sum(self, depth: int) -> Number:
        value = self._product(depth)
        while self.sign in ("+", "-"):
            value = value + self._product(depth) if self._take() == "+" else value - self._product(depth)
        return value

    def _product(self, depth: int) -> Number:
        value = self._unary(depth)
        while self.sign in ("*", "/", "%"):
            sign = self._take()
            other = self._unary(depth)
            value = value * other if sign == "*" else value / other if sign == "/" else value % other
        return value

    def _unary(self, depth: int) -> Number:
        if depth > _DEEPEST:
            raise PerformError(f"the expression is nested more than {_DEEPEST} levels deep")
        if self.sign in ("-", "+"):
            return -self._unary(depth + 1) if self._take() == "-" else self._unary(depth + 1)
        value = self._atom(depth)
        if self.sign == "^":
            self._take()
            return math.pow(value, self._unary(depth + 1))
        return value

    def _atom(self, depth: int) -> Number:
        word = self._take()
        if word == "(":
            value = self.sum(depth + 1)
            if self._take() != ")":
                raise PerformError("the expression lacks a closing parenthesis")
            return value
        if not word or not (word[0].isdigit() or (word[0] == "." and len(word) > 1)):
            raise PerformError(f"the expression needs a number where '{word or 'its end'}' stands")
        return int(word) if word.isdigit() else float(word)
