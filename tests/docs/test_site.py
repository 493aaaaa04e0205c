"""The site: a broken link fails, and ``llms.txt`` lists the pages with their Markdown beside them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import DOCS

CONF = f"""
import sys
sys.path.insert(0, {str(DOCS)!r})
project = "example"
extensions = ["myst_parser", "llms_txt"]
source_suffix = {{".md": "markdown"}}
myst_heading_anchors = 3
"""
HOME = """# Example

An example of a site. It has two pages.

```{toctree}
:caption: Tutorials

first
```
"""


def build(folder: Path, first: str) -> subprocess.CompletedProcess[str]:
    """Build a site with a home page and one other page, as strictly as ``make site`` does."""
    source = folder / "source"
    source.mkdir()
    for name, text in {"conf.py": CONF, "index.md": HOME, "first.md": first}.items():
        (source / name).write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        str(source),
        str(folder / "site"),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_llms_txt_lists_each_page_with_its_first_sentence_and_its_markdown(tmp_path: Path) -> None:
    done = build(tmp_path, "# First steps\n\nHere you take `two` steps. Then you rest. See [home](index.md).\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "site/llms.txt").read_text(encoding="utf-8") == (
        "# example\n\n> An example of a site.\n\n## Tutorials\n\n- [First steps](first.md): Here you take two steps.\n"
    )
    assert (tmp_path / "site/first.md").read_text(encoding="utf-8").startswith("# First steps\n")


@pytest.mark.parametrize("link", ["[away](nowhere.md)", "[away](index.md#no-such-heading)"])
def test_a_broken_link_fails(tmp_path: Path, link: str) -> None:
    done = build(tmp_path, f"# First steps\n\nSee {link}.\n")

    assert done.returncode != 0
    assert "first.md:3: WARNING" in done.stderr
