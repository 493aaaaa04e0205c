"""What is public is documented, can be imported, and costs nothing until it is used."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from inspect import getdoc, isclass, isroutine
from pathlib import Path
from pkgutil import walk_packages

import pytest

import twilio_component

DOCS = Path(__file__).parents[2] / "docs/reference"
# The table of the page on stability is the list of public packages.
PACKAGES = re.findall(r"\| `(twilio_component[\w.]*)` \|", (DOCS / "stability.md").read_text(encoding="utf-8"))


def public_names(package: str) -> list[str]:
    """The ``__all__`` of a package; for a module without one, the classes that it defines."""
    module = import_module(package)
    classes = [name for name, value in vars(module).items() if isclass(value) and value.__module__ == package]
    return sorted(getattr(module, "__all__", [name for name in classes if not name.startswith("_")]))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_package_has_a_page_of_its_names(package: str) -> None:
    directives = [page.read_text(encoding="utf-8") for page in (DOCS / "python").glob("*.md")]
    assert sum(f".. automodule:: {package}\n" in text for text in directives) == 1


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_exists_says_what_it_is_and_is_found_by_completion(package: str) -> None:
    module = import_module(package)
    for name in public_names(package):
        value = getattr(module, name)
        if isclass(value) or isroutine(value):
            assert getdoc(value), f"{package}.{name} has no docstring"
        assert name in dir(module)


def test_every_package_that_exports_names_is_public() -> None:
    packages = [
        module.name
        for module in walk_packages(twilio_component.__path__, "twilio_component.")
        if module.ispkg and hasattr(import_module(module.name), "__all__")
    ]
    assert packages
    assert set(packages) <= set(PACKAGES)


def test_the_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    assert twilio_component.__version__ == version("twilio-component")


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'twilio_component' has no attribute 'Hosts'"):
        twilio_component.Hosts  # type: ignore[attr-defined]  # noqa: B018 - reading it is the test


def test_importing_the_package_imports_none_of_its_parts() -> None:
    program = (
        "import sys, twilio_component, twilio_component.host; "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('aiohttp', 'httpx', 'jsonschema', 'pluggy', 'yaml')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
