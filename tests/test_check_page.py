"""The session in ``docs/check.md`` is what a person sees."""

import re
import shlex
from pathlib import Path

from aiohttp import ClientSession
from commands import ROOT, command, command_beside

from destination.cli.sandbox import stand_ins

PAGE = (ROOT / "docs" / "check.md").read_text("utf-8")
PROMPT = "$ destination "


def session() -> list[tuple[str, str]]:
    """Each command that the page shows with all that came of it; the file first."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    return [tuple(block.rstrip("\n").split("\n", 1)) for block in blocks]


def masked(text: str, hosts: tuple[str, ...] = ()) -> str:
    """The text without times and without who answered."""
    for each in ("127.0.0.1 ", "127.0.0.1\n", *hosts):
        text = text.replace(f"answers from {each.strip()}", "answers from …")
        text = text.replace(f"that of {each.strip()}", "that of …")
    return re.sub(r"in \d+ ms", "in … ms", text)


def test_mistakes_are_told_as_shown(tmp_path: Path) -> None:
    """With the file that the page shows."""
    (_, file), (line, expected), _ = session()
    (tmp_path / "destinations.toml").write_text(file)

    done = command(tmp_path, *shlex.split(line.removeprefix(PROMPT)))

    assert done.stdout.rstrip() == expected
    assert done.returncode == 1


async def test_the_vendors_answers_are_told_as_shown(tmp_path: Path) -> None:
    """A scope that is missing, a token that is refused, and a time-out that is too long."""
    _, _, (line, expected) = session()
    async with stand_ins() as reached:
        slack, shop = reached["slack"], reached["webhook"]
        headers = {"Authorization": f"Bearer {slack.token}"}
        scopes = {"scopes": ["chat:write", "channels:read", "chat:write.customize"]}
        async with ClientSession(headers=headers) as http:
            await (await http.post(f"{slack.url}/_sandbox/behavior", json=scopes)).read()
        (tmp_path / "destinations.toml").write_text(f"""
            [destinations.team]
            kind = "slack"
            token = "{slack.token}"
            base_url = "{slack.settings["base_url"]}"
            allow_private_networks = true

            [destinations.shop]
            kind = "webhook"
            url = "{shop.settings["url"]}"
            auth = {{ scheme = "bearer", token = "wrong" }}
            timeout = 30
            allow_private_networks = true
        """)
        done = await command_beside(tmp_path, *shlex.split(line.removeprefix(PROMPT)))

    shown = ("slack.com", "shop.example.com")
    assert masked(done.stdout.rstrip()) == masked(expected, shown)
    assert done.returncode == 1


async def test_every_check_is_explained(tmp_path: Path) -> None:
    """The page's table has each subject that a line can have, and no other."""
    table = PAGE.split("| check | fails or warns when |")[1].split("\n\n")[0]
    source = "".join(
        path.read_text("utf-8") for path in (ROOT / "destination" / "cli" / "check").glob("*.py")
    )
    subjects = set(re.findall(r'(?:ok|warning|failed|each_failed)\(\s*"(\w+)"', source))
    subjects |= set(re.findall(r'SUBJECT = "(\w+)"', source))

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == subjects
