"""Programs for Node that ask Twilio's and Prismatic's own packages, where `make conformance` has installed them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parents[1] / "conformance" / "node"


def node_environment(package: str) -> dict[str, str]:
    """The environment of a process of Node that finds the package; skips the test where there is none."""
    modules = os.environ.get("TWILIO_NODE_MODULES", "")
    if shutil.which("node") is None or not Path(modules, package).is_dir():
        pytest.skip(f"without Node, or without {package}: `make conformance` installs it where there is npm")
    return {**os.environ, "NODE_PATH": modules}


def ask_node(program: str, question: Any, *, package: str) -> Any:
    """What one of the programs prints, as JSON, for a question, as JSON; in UTC."""
    done = subprocess.run(
        ["node", str(PROGRAMS / program)],
        env={**node_environment(package), "TZ": "UTC"},
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout)
