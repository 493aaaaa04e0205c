"""``component new`` writes a distribution that builds, passes its own tests, and works from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.distributions import install, run_python

from twilio_component.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new component in a folder with a blank in its name."""
    folder = tmp_path_factory.mktemp("my components") / "parcels"
    assert main(["component", "new", "parcel-tracking", "--folder", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def installed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(folder, tmp_path_factory.mktemp("installed"))


def test_its_own_tests_pass(folder: Path, installed: Path) -> None:
    done = run_python(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", folder=folder)
    assert "4 passed" in done.stdout, done.stdout


def test_its_manifest_passes_the_check_in_its_folder_without_installation(folder: Path, tmp_path: Path) -> None:
    done = run_python(
        tmp_path, "-m", "twilio_component", "component", "check", "parcel_tracking/component.yaml", folder=folder
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "has no mistakes, but hosts do not find 'parcel-tracking': install its distribution" in done.stderr


def test_the_check_says_which_copy_of_a_component_hosts_find(folder: Path, installed: Path) -> None:
    check = ("-m", "twilio_component", "component", "check")
    copy = next(installed.rglob("component.yaml"))
    assert "has no mistakes, and hosts find" in run_python(installed, *check, str(copy)).stderr
    other = run_python(installed, *check, "parcel_tracking/component.yaml", folder=folder)
    assert (other.returncode, other.stdout) == (0, "")
    assert f"hosts find another copy, in {copy.parent}: install yours again" in other.stderr


def test_the_list_names_the_version_of_its_distribution(installed: Path) -> None:
    listed = run_python(installed, "-m", "twilio_component", "component", "list").stdout
    assert "parcel-tracking 0.1.0: actions greet; data sources selectName\n" in listed


def test_the_check_knows_copies_of_a_package_without_an_init_file(
    folder: Path, installed: Path, tmp_path: Path
) -> None:
    edited, copied = tmp_path / "edited", tmp_path / "copied"
    shutil.copytree(folder, edited)
    shutil.copytree(installed, copied)
    for place in (edited, copied):
        (place / "parcel_tracking/__init__.py").unlink()
    check = ("-m", "twilio_component", "component", "check", "parcel_tracking/component.yaml")
    done = run_python(copied, *check, folder=edited)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"hosts find another copy, in {copied / 'parcel_tracking'}: install yours again" in done.stderr
    # From elsewhere too, where the package is not in the working directory.
    done = run_python(copied, *check[:-1], str(edited / check[-1]), folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"hosts find another copy, in {copied / 'parcel_tracking'}" in done.stderr


def test_its_readme_says_what_works(folder: Path, installed: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("$ twilio-component ") and "--markdown" not in line:
            words = line.removeprefix("$ twilio-component ").split()
            done = run_python(installed, "-m", "twilio_component", *words, folder=folder)
            assert done.returncode == 0, done.stderr
    greeting = run_python(installed, "-m", "twilio_component", "invoke", "parcel-tracking.greet", "--input", "name=Ada")
    assert json.loads(greeting.stdout) == {"data": {"greeting": "Hello, Ada!"}}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("1st", "KEY: must start with a letter and have only letters, digits and hyphens"),
        ("a b", "KEY: must start with a letter"),
        ("größe", "KEY: must start with a letter"),
        ("class", "KEY: its package would be 'class'"),
        ("json", "KEY: its package would be 'json', and Python has a module of that name here already"),
        ("yaml", "KEY: its package would be 'yaml'"),
        ("twilio", "KEY: an installed component has this key already"),
    ],
)
def test_a_key_that_cannot_be_a_package_is_refused_before_anything_is_written(
    key: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["component", "new", key]) == 2
    assert message in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_exists_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.rglob("*"))
    assert main(["component", "new", "other", "--folder", str(folder)]) == 2
    assert "the folder exists already" in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before


def test_the_check_prints_every_mistake_with_its_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "parcel_tracking/component.yaml").read_text(encoding="utf-8")
    file = tmp_path / "component.yaml"
    file.write_text(text.replace("actions:greet", "actions:great").replace("type: object", "type: objct", 1))

    assert main(["component", "check", str(file)]) == 2
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{file}:6:14: $.actions.greet.perform: 'parcel_tracking.actions:great' cannot be imported")
    assert any(line.startswith(f"{file}:10:13: $.actions.greet.inputs.type: must be 'object'") for line in others)
