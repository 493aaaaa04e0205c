"""Runs every test side by side; the few that fail there are run once more by themselves, and named.

Hundreds of tests start processes and wait for them. On a busy machine one of them can miss its time limit, and that
says nothing about the change that is checked. A test that passes only by itself is to be mended all the same, so the
last lines name it. Exits as pytest does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAST_FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
MOST = 3  # more of them are not chance
# These run under virtual time: chance has no part in them.
NEVER_AGAIN = ("tests/simulation/",)
TESTS_FAILED = 1


def run_pytest(*arguments: str) -> int:
    """Run pytest with these arguments in the project's folder; its exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], cwd=ROOT, check=False).returncode


def find_failed() -> list[str]:
    """The ids of the tests that failed in the last run of pytest."""
    return sorted(json.loads(LAST_FAILED.read_text(encoding="utf-8"))) if LAST_FAILED.is_file() else []


def may_be_chance(failed: list[str]) -> bool:
    """Whether the failed tests are few, and none of them is of a kind that chance has no part in."""
    return 0 < len(failed) <= MOST and not any(test.startswith(NEVER_AGAIN) for test in failed)


def main(arguments: list[str]) -> int:
    """Run the tests, and those that failed once more; the exit code."""
    code = run_pytest("--cache-clear", *arguments)
    failed = find_failed()
    if code != TESTS_FAILED or not may_be_chance(failed):
        return code
    print("These failed beside the others and are run once more by themselves:", *failed, sep="\n  ", flush=True)
    code = run_pytest(*failed, "-m", "campaign or not campaign")
    if code == 0:
        print("PASSED ONLY BY THEMSELVES, which is a fault of the tests:", *failed, sep="\n  ", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
