"""The workflow that publishes a release: nobody runs it before, so what it says is held against the project's files."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8"))[
    "jobs"
]


def test_the_build_has_what_building_without_isolation_and_the_tests_of_the_wheel_need() -> None:
    scripts = [step["run"] for step in JOBS["build"]["steps"] if "run" in step]
    (install,) = (line for script in scripts for line in script.splitlines() if " pip install " in line)
    installed = set(shlex.split(install))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["build-system"]["requires"]) <= installed
    nox = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    (needed,) = (
        ast.literal_eval(node.value)
        for node in nox.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FOR_THE_WHEEL"
    )
    assert set(needed) <= installed


def test_every_action_is_pinned_and_one_job_alone_may_publish() -> None:
    used = [step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one)] == []
    assert [name for name, job in JOBS.items() if job["permissions"].get("id-token") == "write"] == ["publish"]
    assert JOBS["publish"]["needs"] == "build"
