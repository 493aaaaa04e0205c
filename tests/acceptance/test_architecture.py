"""The shape of the house: which rooms know which, and how large a file may grow."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import twilio_component

PACKAGE = Path(twilio_component.__file__).parent
# What each package may import of the others. Nobody imports `cli`.
JUDGED_WITH = ("twilio.segments", "twilio.signatures", "twilio.error_codes")
LAYERS: dict[str, tuple[str, ...]] = {
    "_lazy": (),
    "host": ("_lazy",),
    "flows": ("_lazy", "host"),
    "builtins": ("_lazy", "host", "flows"),
    "durable": ("_lazy", "_version", "host", "flows"),
    "twilio": ("_lazy", "host"),
    # It judges the client, so it must not share the client's code.
    "emulator": ("_lazy", "host", *JUDGED_WITH),
    "testing": ("_lazy", "host", "flows", "emulator", "twilio.signatures"),
    # The page of operations explains errors by the catalogue, and shares the parts of the inbox's page.
    "serving": ("_lazy", "_version", "host", "flows", "durable", "emulator", "twilio.error_codes"),
    "agent_tools": ("_version", "host", "flows", "durable", "twilio"),
    "cli": ("_lazy", "host", "flows", "builtins", "durable", "twilio", "emulator", "testing", "serving", "agent_tools"),
}
# What each part of a package may import of the package's other parts; a part that is not named here, whatever it likes.
FLOW_BASE = (
    "model",
    "findings",
    "nesting",
    "control_steps",
    "send_rules",
    "declared_rules",
    "send_order",
    "webhook_paths",
)
DURABLE_BASE = ("errors", "settings", "crash_points", "clock", "ids", "active_work", "observation", "task_ends")
PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "flows": {
        "findings": (),
        "nesting": (),
        "control_steps": (),
        "time_zones": (),
        "number_zones": ("time_zones",),
        "send_rules": ("time_zones", "number_zones"),
        "quiet_hours": ("send_rules", "time_zones"),
        "send_order": (),
        "model": ("findings", "send_rules", "send_order"),
        "declared_rules": ("model", "send_rules"),
        "webhook_paths": ("model",),
        "expressions": FLOW_BASE,
        "parsing": (*FLOW_BASE, "expressions"),
        "checking": (*FLOW_BASE, "expressions", "parsing"),
        "interpreter": (*FLOW_BASE, "expressions"),
        "runner": (*FLOW_BASE, "expressions", "parsing", "interpreter"),
    },
    "durable": {
        "errors": (),
        "alarm_receivers": (),
        "settings": ("alarm_receivers",),
        "crash_points": (),
        "clock": (),
        "ids": (),
        "task_ends": (),
        "active_work": ("errors", "task_ends"),
        "observation": ("store",),
        "store": DURABLE_BASE,
        "deployment": (*DURABLE_BASE, "store"),
        "sending": (*DURABLE_BASE, "store"),
        "recovery": (*DURABLE_BASE, "store"),
        "asking": (*DURABLE_BASE, "store", "recovery"),
        "fanout": (*DURABLE_BASE, "store", "sending", "recovery"),
        "execution": (*DURABLE_BASE, "deployment", "store", "sending", "recovery", "fanout", "asking"),
        "operator": (*DURABLE_BASE, "deployment", "store", "sending", "recovery", "fanout", "asking", "execution"),
        "startup_checks": ("alarm_receivers", "settings", "deployment", "store", "operator"),
        "alarms": (*DURABLE_BASE, "alarm_receivers", "store", "recovery", "operator"),
        "engine": (
            *DURABLE_BASE,
            "deployment",
            "store",
            "sending",
            "recovery",
            "fanout",
            "asking",
            "execution",
            "alarms",
        ),
    },
}
# A file is read in one sitting.
LONGEST = 400


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package, read when the first test asks, not by each worker that collects tests."""
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
                yield submodule if submodule in modules() else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("twilio_component"))


def found_in(wrong: dict[str, set[str]]) -> Iterator[str]:
    """What is wrong, each with the module that has it."""
    yield from (f"{name}: {', '.join(sorted(found))}" for name, found in wrong.items() if found)


def test_what_may_hold_a_secret_is_not_in_the_repr_of_a_data_class() -> None:
    holding = {
        *("config_vars", "by_name", "environment", "secret", "secrets", "password", "auth_token", "shared_key"),
        *("api_keys", "webhook_api_keys", "organization_keys", "inputs", "payload"),
    }
    # What a manifest and a definition say of inputs has none, nor has what is stored in redacted form.
    without = {"JsonSchema", "Mapping[str, Input]", "Mapping[str, Any] | None"}
    shown: dict[str, set[str]] = {}
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and "dataclass" in "".join(map(ast.unparse, node.decorator_list)):
                fields = (one for one in node.body if isinstance(one, ast.AnnAssign))
                shown[f"{name}.{node.name}"] = {
                    field
                    for one in fields
                    if (field := ast.unparse(one.target)) in holding
                    and ast.unparse(one.annotation) not in without
                    and "repr=False" not in ast.unparse(one)
                }
    assert list(found_in(shown)) == []


def test_a_package_imports_only_the_layers_below_it() -> None:
    wrong = {}
    for name in modules():
        if len(name.split(".")) > 2:
            own = name.split(".")[1]
            allowed = tuple(f"twilio_component.{layer}." for layer in (own, *LAYERS[own]))
            wrong[name] = {
                one
                for one in imports(modules()[name])
                if one != "twilio_component" and not f"{one}.".startswith(allowed)
            }
    assert [*found_in(wrong)] == []


def test_a_part_of_a_package_imports_only_the_parts_below_it() -> None:
    wrong = {}
    for name in modules():
        package, *below = [*name.split(".")[1:], ""]
        if package not in PARTS or not below[0]:
            continue  # the package itself exports lazily
        assert below[0] in PARTS[package], f"say in PARTS what {name} may import"
        start = f"twilio_component.{package}."
        used = {one.removeprefix(start).split(".")[0] for one in imports(modules()[name]) if one.startswith(start)}
        wrong[name] = used - {below[0], *PARTS[package][below[0]]}
    assert [*found_in(wrong)] == []


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
        name: {imported for imported in imports(tree) if imported in modules() and imported != name}
        for name, tree in modules().items()
    }
    assert circles(graph) == []


def test_a_circle_of_type_checking_imports_is_found() -> None:
    tree = ast.parse("if TYPE_CHECKING:\n    from twilio_component.host import Host")
    assert [*imports(tree)] == ["twilio_component.host"]
    assert circles({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set()}) == ["a → b → c → a"]


def test_a_file_is_readable_in_one_sitting() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path.relative_to(PACKAGE)): length for path, length in lengths.items() if length > LONGEST} == {}


def test_importing_the_package_loads_nothing_but_the_table_of_its_names() -> None:
    assert [*imports(modules()["twilio_component"], only_at_start=True)] == ["twilio_component._lazy"]
    assert [*imports(modules()["twilio_component._lazy"], only_at_start=True)] == []


# Words of the first vocabulary, each a metaphor or a false friend of a term of the field. They must not be part of a
# name: neither `Journey` nor `_journey_of`.
OLD_WORDS = """
carrier carriers checkpoint checkpoints chore chores deed deeds fate fates insist journey junction lane lanes
mishap mishaps occasion patiently postman starters straggler stragglers stray strays
"""
# Names that were whole ones; they may be part of another name.
OLD_NAMES = """
Also Answer AnswerLostError AnswerTooLargeError Arrival ChangedRunError Driver Fan Fans Guide HidingLogger Holds
InterruptedRun Journal Kept Letter Life MovedStatesError NoAnswerError Pace Paces Pieces Place Reception Refusal Serving
SoleProcess StillUnderWayError Together Unregistering WebFace WebhookElsewhereError Working World again_and_again
forgiving hold_back keep_texts paced_by read_ahead repeatable slow_down to_the_end too_late world
"""
PARTICIPLES = """
begun broken built chosen done drawn found given gone held kept known left lost made ran sent shown spent spoken taken
told understood woken written
"""
# What an execution is told of each effect, as Temporal's and redux-saga's are.
TOLD_TO_EXECUTIONS = {"succeeded", "failed", "waited"}


def names_in(tree: ast.Module) -> Iterator[str]:
    """Every name that a module gives to something or uses, but not the names of what it imports."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            found = (getattr(node, field, None) for field in ("id", "attr", "name", "arg", "asname"))
            yield from (name for name in found if isinstance(name, str))


def is_old(name: str) -> bool:
    return name.strip("_") in OLD_NAMES.split() or not words(name).isdisjoint(OLD_WORDS.split())


def words(name: str) -> set[str]:
    """The words of a name, in whatever case: ``HttpTransport`` and ``_http_transport`` have the same."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def bare_participles(tree: ast.Module) -> Iterator[str]:
    """Functions, but no properties, whose only word is a past participle."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            word = node.name.strip("_")
            is_property = any(ast.unparse(one).endswith("property") for one in node.decorator_list)
            if not is_property and (re.fullmatch("[a-z]+ed", word) or word in PARTICIPLES.split()):
                yield node.name


def test_no_old_word_comes_back() -> None:
    used = {name: {*names_in(tree), *name.split(".")} for name, tree in modules().items()}
    old = set(filter(is_old, set().union(*used.values())))
    assert [*found_in({name: names & old for name, names in used.items()})] == []


def test_an_old_word_is_found_in_every_case() -> None:
    tree = ast.parse("class JourneyOfSomebody: ...\nfor _stray in (): one.world(deeds=1)")
    assert set(filter(is_old, names_in(tree))) == {"JourneyOfSomebody", "_stray", "world", "deeds"}


def test_a_function_is_named_by_a_verb_or_by_what_it_returns() -> None:
    bare = {name: {*bare_participles(tree)} - TOLD_TO_EXECUTIONS for name, tree in modules().items()}
    assert [*found_in(bare)] == []


def test_a_bare_participle_is_found_and_a_property_may_be_one() -> None:
    tree = ast.parse("def _told(): ...\nasync def described(): ...\nclass A:\n  @property\n  def sent(self): ...")
    assert [*bare_participles(tree)] == ["_told", "described"]
