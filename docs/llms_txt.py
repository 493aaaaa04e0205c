"""A Sphinx extension that writes ``llms.txt``: what each page is about, with a link to its Markdown beside the HTML."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.addnodes import toctree

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the file when the site is built."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}


def write(app: Sphinx, error: Exception | None) -> None:
    """Write ``llms.txt`` and copy the pages' Markdown; nothing when the build has failed."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for name in app.env.found_docs:
        source = Path(app.env.doc2path(name))
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, out / f"{name}{source.suffix}")
    text = "\n".join(_lines(app.env, app.config.project, app.config.root_doc))
    (out / "llms.txt").write_text(f"{text}\n", encoding="utf-8")


def _lines(environment: BuildEnvironment, project: str, root: str) -> Iterator[str]:
    home = environment.get_doctree(root)
    yield from (f"# {project}", "", f"> {_first_sentence(home)}")
    for section in home.findall(toctree):
        yield from ("", f"## {section['caption']}", "")
        for name in section["includefiles"]:
            title = environment.titles[name].astext()
            yield f"- [{title}]({name}.md): {_first_sentence(environment.get_doctree(name))}"


def _first_sentence(page: nodes.document) -> str:
    for paragraph in page.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        return re.split(r"(?<=[.])\s", text, maxsplit=1)[0]
    return ""
