"""The templates: files like those that are made of them, which are run and checked as they are."""

import ast
from collections.abc import Mapping
from pathlib import Path

TEMPLATES = Path(__file__).with_name("templates")
CONFIGURATION = "configuration.toml"
"""The template of the server's file; a repository ignores files of that one's own name."""

FORMATS = ("toml", "yaml", "json")
"""What a spec file may be written in."""


def drafts(spec: str | None) -> Mapping[str, str]:
    """The texts of a new destination by the names of their files; of a spec file in that format."""
    source = f"acme_crm.{spec or 'py'}"
    folder = TEMPLATES / ("spec" if spec else "module")
    texts = {
        name: (folder / name).read_text("utf-8")
        for name in (source, "test_acme_crm.py", CONFIGURATION)
    }
    return {name: text.replace("acme_crm.toml", source) for name, text in texts.items()}


def class_names() -> set[str]:
    """The names that the templates in Python import or give, beside the new class's own."""
    names = set[str]()
    for file in (TEMPLATES / "module").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.ClassDef):
                names.add(node.name)
    return names - {"AcmeCrm"}
