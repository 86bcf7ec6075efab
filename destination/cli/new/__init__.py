"""``destination new``."""

import shlex
from pathlib import Path

import click

from destination import registry
from destination.cli import Stop
from destination.cli.new.drafts import FORMATS
from destination.cli.new.files import CONFIGURATION, has_one, texts, write
from destination.cli.new.names import Name

ROW = "id=1 email=ann@example.com"
"""A row as the files that are written take it."""


@click.command("new")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    help="The folder to write to, which is made if need be; by default the current one.",
)
@click.option("--spec", is_flag=True, help="A spec file, which declares all and needs no Python.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="What the spec file is written in; by default toml.",
)
def new_command(name: str, into: Path, form: str | None, *, spec: bool) -> None:
    """
    Start a destination of your own.

    Writes files that work at once, for you to change. NAME is small letters and digits, in words
    with hyphens between them, such as my-crm.

    \b
    It writes, and never over a file that is there:
      my_crm.py            a destination in Python; with --spec my_crm.toml, one in declarations
      test_my_crm.py       its tests, which pass; for Python with a stand-in of the vendor
      my_crm.md            its page for your documentation, made of what it declares
      destinations.toml    the server's file; where there is one, what to add to it is shown

    \b
    Which of the two?
      --spec               requests that can be declared: a row, or an array of rows, is a request
      Python               answers that lead to further requests, choices asked of the vendor, state

    \b
      destination new my-crm
      destination new my-crm --spec --format yaml --into vendors
    """  # noqa: D301 - click reads it as a mark
    if form and not spec:
        raise click.UsageError("--format is a spec file's: say --spec too.")
    try:
        chosen = Name.parse(name, registry.kinds())
    except ValueError as error:
        raise Stop(
            "There can be no destination of this name.", str(error), "Choose another."
        ) from None
    files = texts(chosen, (form or "toml") if spec else None)
    configuration = files[CONFIGURATION]
    if has_configuration := has_one(into):
        del files[CONFIGURATION]
    write(into, files)
    _show(f"Written to {into.absolute()}:", _meanings(files))
    if has_configuration:
        click.echo(f"\n{into / CONFIGURATION} is there already. Add to it:\n\n{configuration}")
    _show("\nNext:", _steps(chosen, next(iter(files)), into, spec=spec))


def _meanings(files: dict[str, str]) -> dict[str, str]:
    """What each file is."""
    meanings = (
        "the destination",
        "its tests",
        "its page, made of what it declares",
        "what the server is told",
    )
    return dict(zip(files, meanings, strict=False))


def _steps(name: Name, source: str, into: Path, *, spec: bool) -> dict[str, str]:
    """The commands to type now, and what each does."""
    stem = name.stem
    enter = {} if into == Path() else {f"cd {shlex.quote(str(into))}": "where the files are"}
    checked = {f"destination check {source}": "runs the file's own tests"}
    token = {f"export {name.variable}_TOKEN=…": "the vendor's token"}
    played = {f"python test_{stem}.py": "plays the vendor; go on in another terminal"}
    return {
        **enter,
        **(checked if spec else {}),
        f"python -m pytest test_{stem}.py": "passes; and after each of your changes",
        f"destination describe {source}": "what operators and marketers see of it",
        f"destination describe {source} --into {stem}.md": "writes its page anew",
        **(token if spec else {}),
        f"destination try {stem} --row '{ROW}'": "shows the request that a row would cause",
        **({} if spec else played),
        f"destination check {stem}": "asks the vendor whether the token is good",
        "destination serve": f"serves http://127.0.0.1:8000/hightouch/{stem}",
    }


def _show(title: str, lines: dict[str, str]) -> None:
    width = max(map(len, lines))
    click.echo("\n".join((title, *(f"  {what:<{width}}  {does}" for what, does in lines.items()))))
