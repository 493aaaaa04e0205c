"""The shape of the house: which rooms know which, and how large a file may grow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import twilio_component

PACKAGE = Path(twilio_component.__file__).parent
# What each package may import of the others. Nobody imports `cli`.
JUDGED_WITH = ("twilio.segments", "twilio.signatures", "twilio.error_codes")
LAYERS: dict[str, tuple[str, ...]] = {
    "_lazy": (),
    "host": ("_lazy",),
    "flows": ("_lazy", "host"),
    "builtins": ("_lazy", "host", "flows"),
    "durable": ("_lazy", "host", "flows"),
    "twilio": ("_lazy", "host"),
    # It judges the client, so it must not share the client's code.
    "emulator": ("_lazy", "host", *JUDGED_WITH),
    "testing": ("_lazy", "host", "flows", "emulator", "twilio.signatures"),
    "serving": ("_lazy", "host", "flows", "durable", "emulator"),
    "cli": ("_lazy", "host", "flows", "builtins", "durable", "twilio", "emulator", "testing", "serving"),
}
# What each part of a package may import of the package's other parts; a part that is not named here, whatever it likes.
FLOW_BASE = ("model", "findings", "nesting", "control_steps")
PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "flows": {
        "findings": (),
        "nesting": (),
        "control_steps": (),
        "model": ("findings",),
        "expressions": FLOW_BASE,
        "parsing": (*FLOW_BASE, "expressions"),
        "checking": (*FLOW_BASE, "expressions", "parsing"),
        "interpreter": (*FLOW_BASE, "expressions"),
        "runner": (*FLOW_BASE, "expressions", "parsing", "interpreter"),
    },
}
# A file is read in one sitting.
LONGEST = 400


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.Module, *, only_at_start: bool = False) -> Iterator[str]:
    """The project's modules that a module names in its imports, wherever they stand."""
    body: Iterator[ast.AST] = iter(tree.body) if only_at_start else ast.walk(tree)
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("twilio_component"):
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in NAMES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("twilio_component"))


MODULES = modules()
NAMES = frozenset(MODULES)


@pytest.mark.parametrize("name", [name for name in MODULES if len(name.split(".")) > 2])
def test_a_package_imports_only_the_layers_below_it(name: str) -> None:
    own = name.split(".")[1]
    foreign = {one for one in imports(MODULES[name]) if one != "twilio_component" and one.split(".")[1] != own}
    allowed = LAYERS[own]
    assert {
        one for one in foreign if not any(f"{one}.".startswith(f"twilio_component.{below}.") for below in allowed)
    } == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name.split(".")[1:2] and name.split(".")[1] in PARTS])
def test_a_part_of_a_package_imports_only_the_parts_below_it(name: str) -> None:
    package, *below = name.split(".")[1:]
    parts = PARTS[package]
    if not below:
        return  # the package itself, which exports lazily
    assert below[0] in parts, f"say in PARTS what {name} may import"
    start = f"twilio_component.{package}."
    used = {one.removeprefix(start).split(".")[0] for one in imports(MODULES[name]) if one.startswith(start)}
    assert used - {below[0], *parts[below[0]]} == set()


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Return each circle of imports that a walk through the graph meets, as ``a → b → a``."""
    found: list[str] = []
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            found.append(" → ".join((*path[path.index(name) :], name)))
        elif name not in done:
            for imported in sorted(graph[name]):
                visit(imported, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    return found


def test_no_module_imports_itself_through_others() -> None:
    """Imports for type checking and imports inside functions count too: a circle of those is a circle of concepts."""
    graph = {
        name: {imported for imported in imports(tree) if imported in MODULES and imported != name}
        for name, tree in MODULES.items()
    }
    assert circles(graph) == []


def test_a_circle_of_type_checking_imports_is_found() -> None:
    tree = ast.parse("if TYPE_CHECKING:\n    from twilio_component.host import Host")
    assert [*imports(tree)] == ["twilio_component.host"]
    assert circles({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set()}) == ["a → b → c → a"]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_readable_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_importing_the_package_loads_nothing_but_the_table_of_its_names() -> None:
    assert [*imports(MODULES["twilio_component"], only_at_start=True)] == ["twilio_component._lazy"]
    assert [*imports(MODULES["twilio_component._lazy"], only_at_start=True)] == []
