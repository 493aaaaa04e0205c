"""The generated pages of the documentation: ``python docs/generate.py --write docs``.

What the manifests, the error classes, the error catalogue and the argument parser say is written from them, and
``--check`` (a test runs it) fails when a page no longer says what they say.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pagewriters import builtins, cli, comparison, errors, inputs

# The pages by their names below docs/.
PAGES: Mapping[str, Callable[[], str]] = {
    "reference/inputs.md": inputs.page,
    "reference/built-ins.md": builtins.page,
    "reference/errors.md": errors.page,
    "reference/cli.md": cli.page,
    "reference/comparison.md": comparison.page,
}


def main(arguments: list[str] | None = None) -> int:
    """Write the pages into a folder, or check that they are up to date; 1 when one is not."""
    parser = argparse.ArgumentParser(prog="python docs/generate.py", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", type=Path, metavar="FOLDER")
    mode.add_argument("--check", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    stale = []
    for name, make in PAGES.items():
        page = make()
        if options.write:
            (options.write / name).parent.mkdir(parents=True, exist_ok=True)
            (options.write / name).write_text(page, encoding="utf-8")
        elif not (options.check / name).exists() or (options.check / name).read_text(encoding="utf-8") != page:
            stale.append(name)
    if stale:
        sys.stderr.write(f"not up to date: {', '.join(stale)}; run `make docs`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
