"""Makes the wheel small, and its manifest: `component.yaml` as JSON, with the payloads that it refers to inside.

In a checkout the manifest is YAML, for people, and its payloads are files of their own, which tests and documentation
share. An installation reads the manifest whenever it starts: JSON, which is YAML too, is read twenty times as fast, and
without the parser of YAML. The wheel is smaller by 26 files.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import json
import re
import sys
import tempfile
import tokenize
import zipfile
from pathlib import Path
from typing import Any, TypeGuard

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INTERNAL = ("agent_tools", "cli", "durable", "serving")
"""The packages that only the commands call."""


def manifest_of_wheel(root: Path) -> str:
    """Return the manifest of the checkout at ``root`` as JSON, with every payload that it refers to."""
    # The package's own reader, so that both manifests say the same; building makes no other use of the package.
    sys.path.insert(0, str(root))
    try:
        from twilio_component.host.manifest.documents import read_document
    finally:
        sys.path.remove(str(root))

    def with_payloads(value: Any) -> Any:
        if isinstance(value, list):
            return [with_payloads(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"$ref"} and value["$ref"].startswith("fixtures/payloads/"):
            return json.loads((root / value["$ref"]).read_text(encoding="utf-8"))
        return {key: with_payloads(item) for key, item in value.items()}

    return json.dumps(
        with_payloads(read_document(root / "component.yaml").data), ensure_ascii=False, separators=(",", ":")
    )


class ManifestHook(BuildHookInterface[Any]):
    """Adds the manifest to a wheel. An editable installation reads that of the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the manifest where the builder finds it."""
        if version == "editable":
            return
        folder = Path(tempfile.mkdtemp())
        self.written = folder / "component.yaml"
        self.written.write_text(manifest_of_wheel(Path(self.root)), encoding="utf-8")
        build_data["force_include"][str(self.written)] = "twilio_component/component.yaml"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Make the wheel small, and remove what was written for it."""
        del build_data  # part of the interface
        if version == "editable":
            return
        self.written.unlink()
        self.written.parent.rmdir()
        compress(Path(artifact_path))


def compress(wheel: Path) -> None:
    """Write the archive anew at the highest level, without what only its source needs; times and order stay."""
    with zipfile.ZipFile(wheel) as archive:
        entries = {entry: without_comments(entry.filename, archive.read(entry)) for entry in archive.infolist()}
    record = next(entry for entry in entries if entry.filename.endswith(".dist-info/RECORD"))
    lines = [_line_of_record(entry.filename, b"" if entry is record else entries[entry]) for entry in entries]
    entries[record] = "".join(lines).encode()
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def without_comments(name: str, content: bytes) -> bytes:
    """Return a file of the package as programs need it: code without comments, on the same lines, and JSON in one line.

    Docstrings of packages and of what a program of a user's calls stay; those of modules, which say why they are there,
    of private functions, and of packages that only our commands call, are comments too. The source distribution has
    them all.
    """
    if not name.startswith("twilio_component/"):
        return content
    text = content.decode()
    if name.endswith(".json"):
        return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")).encode()
    if name.endswith(".js"):
        return re.sub(r"^[ \t]*//.*", "", text, flags=re.MULTILINE).encode()
    if not name.endswith(".py"):
        return content
    is_internal = name.split("/")[1] in INTERNAL
    return _program(text, is_package=name.endswith("__init__.py"), is_internal=is_internal).encode()


def _program(text: str, *, is_package: bool, is_internal: bool) -> str:
    lines = text.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip() + "\n"
    for node in ast.walk(ast.parse(text)):
        if _has_comment_as_docstring(node, is_package=is_package, is_internal=is_internal):
            first = node.body[0]
            end = first.end_lineno or first.lineno
            lines[first.lineno - 1 : end] = ["\n"] * (end - first.lineno + 1)
    return "".join(lines)


def _has_comment_as_docstring(
    node: ast.AST, *, is_package: bool, is_internal: bool
) -> TypeGuard[ast.Module | ast.FunctionDef]:
    if isinstance(node, ast.Module):
        return not is_package and len(node.body) > 1 and ast.get_docstring(node, clean=False) is not None
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and len(node.body) > 1:
        is_private = node.name.startswith("_") and not node.name.endswith("__")
        return (is_private or is_internal) and ast.get_docstring(node, clean=False) is not None
    return False


def _line_of_record(name: str, content: bytes) -> str:
    if not content and name.endswith("/RECORD"):
        return f"{name},,\n"
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"
