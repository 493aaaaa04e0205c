"""How `make site` builds the documentation: Sphinx, with MyST for Markdown and Furo for the looks."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for llms_txt, below

from importlib.metadata import version as installed_version

project = "twilio-component"
author = "The twilio-component developers"
copyright = f"2026, {author}"  # noqa: A001 - Sphinx's name
release = version = installed_version("twilio-component")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "llms_txt"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 3  # links to headings work as they do where the repository is browsed
myst_enable_extensions = ["html_image"]

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"twilio-component {version}"
html_copy_source = False  # llms_txt puts the Markdown beside each page
html_show_sphinx = False
html_permalinks_icon = "#"
