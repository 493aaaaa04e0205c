"""The artifact, not the checkout: the wheel is built, installed into a clean environment and used there."""

from __future__ import annotations

import ast
import base64
import csv
import hashlib
import json
import os
import subprocess
import zipfile
from pathlib import Path

from support.distributions import build_wheel

ROOT = Path(__file__).parents[3]


def run(clean: Path, folder: Path, *command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TWILIO"))}
    done = subprocess.run(
        [str(clean / command[0]), *command[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_the_manifest_and_the_schemas_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    expected = [
        "component.yaml",
        "py.typed",
        "twilio/icon.svg",
        "emulator/control/inbox_page/index.html",
        "emulator/control/inbox_page/inbox.css",
        "emulator/control/inbox_page/main.js",
        "flows/number_zones.txt",
        *(f"schemas/{path.name}" for path in (ROOT / "schemas").iterdir()),
    ]
    assert {f"twilio_component/{name}" for name in expected} <= names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"twilio_component"}


def test_its_manifest_declares_what_that_of_the_checkout_does(clean: Path, tmp_path: Path) -> None:
    program = (
        "import json, sys; from pathlib import Path; from twilio_component.host import check_manifest, load_component\n"
        "from twilio_component.twilio.plugin import manifest_file\n"
        "installed, checkout = manifest_file(), Path(sys.argv[1])\n"
        "json.loads(installed.read_text())  # JSON starts faster\n"
        "print(installed == checkout, 'fixtures/payloads' in installed.read_text(), check_manifest(installed),\n"
        "      load_component(installed).manifest == load_component(checkout).manifest)\n"
    )
    assert run(clean, tmp_path, "python", "-c", program, str(ROOT / "component.yaml")) == "False False [] True\n"


def test_it_starts_without_the_parser_of_yaml(clean: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from twilio_component.cli.main import main; main(['describe', 'sendSMS'])\n"
        "print(sorted({'yaml', 'logging', 'jsonschema', 'httpx', 'asyncio'} & set(sys.modules)))"
    )
    assert run(clean, tmp_path, "python", "-c", program).splitlines()[-1] == "[]"


def test_it_describes_itself_and_runs_the_demo_far_from_the_checkout(clean: Path, tmp_path: Path) -> None:
    assert "component key: twilio" in run(clean, tmp_path, "twilio-component", "describe")
    assert "▸ rawRequest" in run(clean, tmp_path, "twilio-component", "demo")


def test_it_writes_checks_and_runs_a_flow(clean: Path, tmp_path: Path) -> None:
    run(clean, tmp_path, "twilio-component", "flow", "new", "flow.yaml")
    assert run(clean, tmp_path, "twilio-component", "flow", "check", "flow.yaml") == ""
    payload = '{"body": {"data": {"name": "Ada", "phone": "+15558675310"}}}'
    shown = run(clean, tmp_path, "twilio-component", "flow", "run", "flow.yaml", "--emulator", "--payload", payload)
    assert json.loads(shown.splitlines()[-1])["status"] == "succeeded"


def test_a_program_uses_it(clean: Path, tmp_path: Path) -> None:
    script = (
        "from twilio_component.testing import BlockingHarness\n"
        "from twilio_component.host import check_manifest\n"
        "from twilio_component.twilio.plugin import manifest_file\n"
        "print(check_manifest(manifest_file()))\n"
        "with BlockingHarness() as harness:\n"
        "    print(harness.webhook({'Body': 'Hi'})['payload']['body']['data'])\n"
    )
    assert run(clean, tmp_path, "python", "-c", script).splitlines() == ["[]", "{'Body': 'Hi'}"]


def test_it_is_built_byte_for_byte_the_same_and_is_smaller_than_a_megabyte(wheel: Path, tmp_path: Path) -> None:
    again = build_wheel(ROOT, tmp_path)
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()
    assert len(wheel.read_bytes()) < 2**20


# Packages that only the commands call: no user's program shows their docstrings.
INTERNAL = ("agent_tools", "cli", "durable", "serving")


def public(tree: ast.Module, *, is_package: bool, is_internal: bool) -> str:
    """A program with the place of each statement, without docstrings that no user's program shows."""
    if not is_package and len(tree.body) > 1 and ast.get_docstring(tree):
        tree.body = tree.body[1:]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and len(node.body) > 1:
            is_private = node.name.startswith("_") and not node.name.endswith("__")
            node.body = node.body[1:] if (is_private or is_internal) and ast.get_docstring(node) else node.body
    return ast.dump(tree, include_attributes=True)


def test_its_code_is_that_of_the_checkout_on_the_same_lines(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    programs = [name for name in archive.namelist() if name.endswith(".py")]
    assert len(programs) > 300
    for name in programs:
        source = (ROOT / name).read_text(encoding="utf-8")
        ours, theirs = ast.parse(source), ast.parse(archive.read(name))
        shown = {"is_package": name.endswith("__init__.py"), "is_internal": name.split("/")[1] in INTERNAL}
        assert public(theirs, **shown) == public(ours, **shown), name


def test_its_record_names_every_file_with_its_hash_and_its_size(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (record,) = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
    rows = {name: (digest, size) for name, digest, size in csv.reader(archive.read(record).decode().splitlines())}
    assert rows.pop(record) == ("", "")
    assert rows.keys() == {*archive.namelist()} - {record}
    for name, (digest, size) in rows.items():
        content = archive.read(name)
        expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert (digest, size) == (f"sha256={expected}", str(len(content))), name


def test_its_metadata_name_the_licence_the_extras_and_no_tools_of_development(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = archive.read(name).decode()
    extras = [line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Provides-Extra: ")]
    assert extras == ["httpx2", "mcp", "metrics", "otel", "serve"]
    assert "License-Expression: MIT AND Apache-2.0\n" in metadata
    assert "pytest" not in [
        line.split()[1].partition(">")[0] for line in metadata.splitlines() if "Requires-Dist" in line
    ]
    licences = {name.partition("/licenses/")[2] for name in archive.namelist() if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_no_two_distributions_that_it_needs_own_a_file_together(able_to_serve: Path) -> None:
    packages = next((able_to_serve.parent / "lib").glob("python*/site-packages"))
    owners: dict[str, set[str]] = {}
    for record in packages.glob("*.dist-info/RECORD"):
        for line in record.read_text(encoding="utf-8").splitlines():
            owners.setdefault(line.rsplit(",", 2)[0], set()).add(record.parent.name)
    assert len(owners) > 1_000
    assert {file: names for file, names in owners.items() if len(names) > 1} == {}


def test_its_size_with_everything_it_needs_is_bounded(clean: Path) -> None:
    # The official SDK alone is 51 MB.
    packages = next((clean.parent / "lib").glob("python*/site-packages"))
    ours = sum(
        path.stat().st_size
        for path in packages.rglob("*")
        if path.is_file() and path.relative_to(packages).parts[0] not in ("pip", "setuptools", "pkg_resources")
    )
    assert ours < 51_000_000
