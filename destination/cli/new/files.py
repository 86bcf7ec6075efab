"""The files of a new destination: what stands in them, and how they are written."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from destination.cli import Stop
from destination.cli.describe import as_markdown
from destination.cli.markdown import BEGIN, END
from destination.cli.new.drafts import CONFIGURATION as DRAFT
from destination.cli.new.drafts import drafts
from destination.cli.new.names import Name

CONFIGURATION = "destinations.toml"

PAGE = """\
# Acme Crm

Rows as people of Acme Crm.

`destination describe {source} --into acme_crm.md` writes what follows.

{begin}
{told}
{end}
"""


def texts(name: Name, spec: str | None) -> dict[str, str]:
    """What is to be written, by file: the destination first, its page made of what it declares."""
    files = {name.put(file): name.put(text) for file, text in drafts(spec).items()}
    configuration = files.pop(DRAFT)
    source = next(iter(files))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, source)
        path.write_text(files[source], "utf-8")
        told = as_markdown(str(path))
    page = name.put(PAGE).format(source=source, begin=BEGIN, told=told, end=END)
    return {**files, f"{name.stem}.md": page, CONFIGURATION: configuration}


def has_one(folder: Path) -> bool:
    """Whether the folder has a configuration already; one that cannot be looked into has none."""
    try:
        return (folder / CONFIGURATION).exists()
    except OSError:
        return False


def write(folder: Path, files: Mapping[str, str]) -> None:
    """
    Make new files in a folder, which is made too, or none.

    Raises:
        Stop: One is there already, or they cannot be written; then nothing was.
    """
    if there := [name for name in files if os.path.lexists(folder / name)]:
        raise _refusal(f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already.")
    written = list[Path]()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                written.append(folder / name)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink()
        raise _refusal(f"{error.filename or folder}: {error.strerror}") from None


def _refusal(why: str) -> Stop:
    return Stop("Nothing was written.", why, "Choose another name, or another folder with --into.")
