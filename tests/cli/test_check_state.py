"""``destination check``: whether what was delivered can be remembered."""

import shutil
from pathlib import Path

import pytest
from checking import Told, check

from destination.cli.check.platform import platform
from destination.cli.check.state import state

NOTHING = '{"crm": {"kind": "nosuch"}}'
"""A destination whose vendor is not asked."""


async def told(folder: Path, **environment: str) -> Told:
    """What is found, with a server of these surroundings."""
    return await check(folder, DESTINATIONS=NOTHING, **environment)


def files(folder: Path) -> list[str]:
    """The names of what is in a folder."""
    return [each.name for each in folder.iterdir()]


async def test_the_file_can_be_written_and_read_and_is_not_left_behind(tmp_path: Path) -> None:
    """Where there was none there is none afterwards; another stays as it was."""
    first = await told(tmp_path)
    assert files(tmp_path) == []
    (tmp_path / "state.db").touch()
    second = await told(tmp_path)

    good = [("ok", f"{tmp_path}/state.db can be written and read")]
    assert first.of("state", None) == second.of("state", None) == good
    assert files(tmp_path) == ["state.db"]


@pytest.mark.parametrize("name", ["state[1].db", "*.db", "a?b"])
async def test_a_name_of_any_characters_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    """What was made to try it is removed by its own name."""
    found = await told(tmp_path, STATE_URL=f"sqlite:///{tmp_path}/{name}")

    assert found.of("state", None) == [("ok", f"{tmp_path}/{name} can be written and read")]
    assert files(tmp_path) == []


async def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    """One that leads nowhere cannot be written, though the folder that it is in can be."""
    (tmp_path / "state.db").symlink_to(tmp_path / "nowhere" / "state.db")
    [(outcome, says)] = (await told(tmp_path)).of("state", None)

    assert (outcome, "No such file or directory" in says) == ("failed", True)
    assert files(tmp_path) == ["state.db"]


async def test_a_folder_that_is_not_there_fails(tmp_path: Path) -> None:
    """A file that was named must be usable."""
    found = await told(tmp_path, STATE_URL=f"sqlite:///{tmp_path}/nowhere/state.db")

    assert found.of("state", None) == [
        (
            "failed",
            f"{tmp_path}/nowhere/state.db cannot be used as a store (No such file or directory): "
            "the server does not start; name another in STATE_URL",
        )
    ]
    assert found.code == 1


async def test_a_file_that_is_something_else_fails(tmp_path: Path) -> None:
    """It is left as it is."""
    (tmp_path / "state.db").write_text("no database" * 100)

    [(outcome, says)] = (await told(tmp_path)).of("state", None)

    assert outcome == "failed"
    assert "(file is not a database)" in says
    assert (tmp_path / "state.db").read_text().startswith("no database")


async def test_a_default_that_cannot_be_used_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server starts all the same, and forgets when it stops."""
    (tmp_path / "destination-state.db").mkdir()
    monkeypatch.chdir(tmp_path)

    [(outcome, says)] = (await told(tmp_path, STATE_URL="")).of("state", None)

    assert outcome == "warning"
    assert says.startswith("destination-state.db cannot be used as a store (")
    assert says.endswith(
        "): what was delivered is forgotten when the server stops; set STATE_URL=sqlite:///FILE "
        "to a file that can be written"
    )


async def test_an_address_that_is_no_store_fails(tmp_path: Path) -> None:
    """With the ones that there are."""
    found = await told(tmp_path, STATE_URL="postgres://db/state")

    [(outcome, says)] = found.of("state", None)
    assert outcome == "failed"
    assert says.startswith("STATE_URL: is not a store. Set ")


async def test_memory_is_what_was_asked_for(tmp_path: Path) -> None:
    """It is no warning."""
    found = await told(tmp_path, STATE_URL="sqlite:///:memory:")

    says = "deliveries are remembered until the server stops (STATE_URL)"
    assert found.of("state", None) == [("ok", says)]


async def test_little_space_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how much there is."""
    usage = shutil.disk_usage(tmp_path)._replace(free=7 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    assert (await told(tmp_path)).of("state", None) == [
        (
            "warning",
            f"only 7 MiB are free beside {tmp_path}/state.db: make room, or name a file on "
            "another disk in STATE_URL",
        )
    ]


@pytest.mark.parametrize(
    ("variable", "name"),
    [("RENDER", "Render"), ("K_SERVICE", "Cloud Run"), ("FLY_APP_NAME", "Fly.io")],
)
async def test_a_platform_that_forgets_its_files_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    """Unless the file lies on a disk that is mounted."""
    where, url = platform({variable: "ours"}), f"sqlite:///{tmp_path}/state.db"
    monkeypatch.setattr(Path, "is_mount", lambda path: path == Path("/"))
    [lost] = await state(url, where)
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path)
    [kept] = await state(url, where)

    assert (lost.level, lost.says) == (
        "warning",
        f"{tmp_path}/state.db is lost whenever {name} restarts the server, and with it what was "
        "delivered: mount a disk, and name a file on it in STATE_URL",
    )
    assert kept.level == "ok"


async def test_heroku_has_no_disk_that_stays(tmp_path: Path) -> None:
    """So there is nothing to mount."""
    found = await told(tmp_path, DYNO="web.1")

    assert found.of("state", None) == [
        (
            "warning",
            f"{tmp_path}/state.db is lost whenever Heroku restarts the server, and with it what "
            "was delivered: there, rows may be sent again after a restart",
        )
    ]
