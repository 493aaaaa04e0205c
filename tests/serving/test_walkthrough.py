"""The page about serving, walked through: its files written, its commands run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from support.ports import reserve_port

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("tutorials/first-served-flow.md", "how-to/scale-out.md", "how-to/operate-runs.md")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FOLLOW = "set -e -o pipefail; set -m; trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n"


def test_the_page_about_serving_does_what_it_says(tmp_path: Path, empty_database: Callable[[], str]) -> None:
    twilio, served, shared = reserve_port(), reserve_port(), reserve_port()
    text = "\n".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES).replace("8010", str(twilio))
    blocks = _BLOCK.findall(text.replace("8000", str(served)).replace("8001", str(shared)))
    flow, configuration = (block for kind, block in blocks if kind == "yaml")
    (tmp_path / "reply.yaml").write_text(flow, encoding="utf-8")
    (tmp_path / "configuration.yaml").write_text(configuration, encoding="utf-8")
    script = _FOLLOW + "".join(block for kind, block in blocks if kind == "bash")

    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "DATABASE": empty_database(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"You wrote: Hello"') == 2, done.stdout
    (said,) = (block.strip() for kind, block in blocks if kind == "text" and block.startswith("webhook of"))
    assert said in done.stdout
