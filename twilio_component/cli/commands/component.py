"""``twilio-component component``: list the installed ones, start one of one's own, and check its manifest."""

from __future__ import annotations

import sys
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from twilio_component.cli import exit_codes
from twilio_component.cli.formats import add_formats, print_records
from twilio_component.host.errors import InputError, Problem, join_names

if TYPE_CHECKING:
    import argparse

_STARTER = Path(__file__).parents[1] / "starter_component"
_SUFFIX = ".template"


def add_parser(commands: Any) -> None:
    """Add the commands to the command line."""
    group = commands.add_parser("component", help="list components, write one of your own, and check its manifest")
    parsers = group.add_subparsers(required=True, metavar="COMMAND")
    listing = parsers.add_parser(
        "list",
        help="list the installed components",
        description="List the components that hosts find here, with their actions, triggers and data sources.",
    )
    add_formats(listing)
    listing.set_defaults(run=_list)
    new = parsers.add_parser(
        "new",
        help="start a component in a distribution of its own",
        description="Write a distribution with a component: a manifest, functions, tests, and the entry point by which "
        "hosts find it.",
    )
    new.add_argument("key", metavar="KEY", help="the component's key, e.g. weather")
    new.add_argument("--folder", metavar="FOLDER", help="where to write it; must not exist; default: KEY-component")
    new.set_defaults(run=_new)
    check = parsers.add_parser(
        "check",
        help="find every mistake in a manifest",
        description="Print every mistake in a component's manifest with file and line. Functions that the manifest "
        "names are imported, from the working directory too.",
    )
    check.add_argument("file", metavar="FILE", type=Path, help="the manifest, e.g. weather/component.yaml")
    check.set_defaults(run=_check)


def _list(options: argparse.Namespace) -> int:
    from twilio_component.cli.components import discover_host

    components = sorted(discover_host().components.values(), key=lambda component: component.key)
    records = [
        {
            "key": component.key,
            "version": component.version,
            "label": component.display.label,
            "actions": [*component.actions],
            "triggers": [*component.triggers],
            "dataSources": [*component.data_sources],
        }
        for component in components
    ]
    if not print_records(options, records):
        for record in records:
            kinds = (("actions", "actions"), ("triggers", "triggers"), ("dataSources", "data sources"))
            operations = "; ".join(f"{words} {', '.join(record[name])}" for name, words in kinds if record[name])
            name = f"{record['key']} {record['version']}".rstrip()  # a component need not have a version
            print(f"{name}: {operations}")
    return exit_codes.DONE


def _new(options: argparse.Namespace) -> int:
    key: str = options.key
    package = key.replace("-", "_").lower()
    _refuse_bad_key(key, package)
    folder = Path(options.folder or f"{key.lower()}-component")
    words = {
        "key": key,
        "package": package,
        "distribution": f"{key.lower()}-component",
        "label": key.replace("-", " ").capitalize(),
    }
    try:
        folder.mkdir(parents=True)
        for template in sorted(_STARTER.rglob(f"*{_SUFFIX}")):
            parts = [package if part == "package" else part for part in template.relative_to(_STARTER).parts]
            file = folder.joinpath(*parts).with_suffix("")
            file.parent.mkdir(exist_ok=True)
            file.write_text(Template(template.read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    except OSError as error:
        reason = "the folder exists already" if isinstance(error, FileExistsError) else error.strerror
        raise InputError("The component could not be written", [Problem("", str(reason), str(folder))]) from error
    print(f"Wrote {folder}; its README.md says how to install, test and invoke it.", file=sys.stderr)
    return exit_codes.DONE


def _refuse_bad_key(key: str, package: str) -> None:
    from importlib.util import find_spec
    from keyword import iskeyword

    from twilio_component.cli.components import discover_host

    reason = None
    if not (key.isascii() and key[:1].isalpha() and key.replace("-", "").isalnum()):
        reason = "must start with a letter and have only letters, digits and hyphens"
    elif key in discover_host().components:
        reason = "an installed component has this key already"
    elif iskeyword(package) or package in sys.stdlib_module_names or find_spec(package) is not None:
        reason = f"its package would be '{package}', and Python has a module of that name here already"
    if reason:
        raise InputError("The component could not be written", [Problem("KEY", reason)])


def _manifest_at(path: Path) -> Path:
    """Return the manifest at a path, in the folder itself or in the one package of it; raises ``InputError``."""
    if not path.is_dir():
        return path
    found = [file for file in (path / "component.yaml", *sorted(path.glob("*/component.yaml"))) if file.is_file()]
    if len(found) != 1:
        which = f"has {join_names(str(file) for file in found)}: name one" if found else "has no component.yaml"
        raise InputError("There is no manifest to check", [Problem("", which, str(path))])
    return found[0]


def _check(options: argparse.Namespace) -> int:
    from twilio_component.cli.components import print_to_standard_error
    from twilio_component.host.manifest.loader import check_manifest, named_packages

    manifest = _manifest_at(Path(options.file))
    # A console script does not look for modules where a component's package usually is: in the working directory, or
    # where the manifest's package begins.
    beside = _import_root(manifest.resolve(), named_packages(manifest))
    # `python -m` does look there, and hosts that are started elsewhere do not.
    elsewhere = [folder for folder in sys.path if folder not in ("", str(Path.cwd()))]
    sys.path[:0] = [str(Path.cwd()), str(beside)]
    with print_to_standard_error():
        problems = check_manifest(manifest)
    for problem in problems:
        print(problem)
    if problems:
        return exit_codes.BAD_INPUT
    other = _other_copy(manifest.resolve().relative_to(beside), beside, elsewhere)
    print(_found_by_hosts(manifest, other), file=sys.stderr)
    return exit_codes.DONE


def _import_root(manifest: Path, packages: set[str]) -> Path:
    """Return the folder from which the package with this manifest is imported, one without an ``__init__.py`` too."""
    for folder in manifest.parents:
        if folder.name in packages:
            return folder.parent
    return next(folder for folder in manifest.parents if not (folder / "__init__.py").exists())


def _other_copy(manifest: Path, beside: Path, path: list[str]) -> Path | None:
    """Return the package that hosts import in the place of the one with this manifest; None if there is none."""
    from importlib.machinery import PathFinder

    package = manifest.parts[0]
    found = PathFinder.find_spec(package, path) if len(manifest.parts) > 1 else None
    if found is None:
        return None
    # A package without an __init__.py has no origin, and may be in several folders.
    folders = [Path(folder) for folder in found.submodule_search_locations or ()]
    with_manifest = (folder for folder in folders if folder.joinpath(*manifest.parts[1:]).is_file())
    folder = Path(found.origin).parent if found.origin else next(with_manifest, None)
    return None if folder is None or folder.samefile(beside / package) else folder


def _found_by_hosts(manifest: Path, other: Path | None) -> str:
    """Whether hosts find the component of a manifest without mistakes, and what to do if they do not."""
    from twilio_component.cli.components import discover_host
    from twilio_component.host.manifest.loader import load_component

    key = load_component(manifest).key
    if key not in discover_host().components:
        return (
            f"{manifest} has no mistakes, but hosts do not find '{key}': install its distribution "
            "(pip install --editable FOLDER), with an entry point in the group integration_components"
        )
    if other is not None:
        return (
            f"{manifest} has no mistakes, but hosts find another copy, in {other}: install yours again "
            "(pip install --editable FOLDER)"
        )
    return f"{manifest} has no mistakes, and hosts find '{key}'"
