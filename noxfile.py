"""The suite and the wheel's own tests on every Python that is found, and the suite on the oldest dependencies.

    nox --list            nox -s wheel            nox -s suite-3.13 -- tests/host            nox -s lowest

A Python that is not installed is named and left out.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import nox
from packaging.requirements import Requirement

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
# What the tests of the wheel need: they build it, install it elsewhere, and import nothing of it.
FOR_THE_WHEEL = ["anyio>=4.11,<5", "pytest>=8.2,<10", "build>=1.2,<2", "hatchling>=1.24,<2", "pyyaml>=6.0.2,<7"]

# pyenv keeps its interpreters where PATH does not lead, and its shims work for one of them only.
_PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
_FOUND = [str(folder) for folder in sorted(_PYENV.glob("versions/3.*/bin"), reverse=True)]
os.environ["PATH"] = os.pathsep.join([*_FOUND, os.environ["PATH"]])

nox.options.sessions = ["suite", "wheel", "lowest"]
nox.options.error_on_missing_interpreters = False
nox.needs_version = ">=2025.5.1"


@nox.session(python=PYTHONS)
def suite(session: nox.Session) -> None:
    """Run the tests, on the newest dependencies that the bounds allow."""
    session.install("--upgrade", "--editable", ".", "--group", "dev")
    _test(session)


@nox.session(python=PYTHONS)
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it into clean environments, run the demo, serve flows, die and go on."""
    session.install(*FOR_THE_WHEEL)
    # The plugins of pytest belong to the other sessions; without the package there is nothing to import.
    session.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/packaging/wheel", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests on the oldest dependencies that the bounds allow, with the tools of today."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(lowest_versions()), encoding="utf-8")
    session.install("--constraint", str(constraints), "--editable", ".[serve]", "--group", "tools")
    session.run("python", "-m", "pip", "list", "--format=freeze", silent=True)
    _test(session)


def lowest_versions() -> list[str]:
    """The lower bounds of what the package depends on, as exact versions."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    bounds = {Requirement(text).name: Requirement(text).specifier for text in named}
    return [
        f"{name}=={bound.version}"
        for name, specifier in bounds.items()
        for bound in specifier
        if bound.operator == ">="
    ]


def _test(session: nox.Session) -> None:
    arguments = session.posargs or ["-n", "3", "--dist", "worksteal", "--timeout", "300", "tests"]
    session.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)
