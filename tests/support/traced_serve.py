"""A program for tests: the command line, with the spans of its process added to the file ``SPANS``, one JSON a line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from twilio_component.cli.main import main

VARIABLE = "SPANS"


def run(arguments: list[str]) -> int:
    """Run the command line; each span is in the file as soon as it has ended."""
    with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as file:
        exporter = ConsoleSpanExporter(out=file, formatter=lambda span: f"{span.to_json(indent=None)}\n")
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        return main(arguments)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
