"""One file, the environment above it, and errors that name what is wrong but never its value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from destination.errors import ConfigError
from destination.settings import SHORTEST_SECRET, Server, Settings, load
from destination.settings_file import expand

SECRET = "canary-" + "s" * 40
OTHER = "rotated-" + "o" * 40


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder and an environment without any name of ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOST", "PORT", "SERVER", "DESTINATIONS", "LOG_LEVEL", "LOG_FORMAT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("DESTINATION_TOKEN", "DESTINATION_CONFIG", "STATE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Write the default file."""

    def write(text: str) -> Path:
        path = tmp_path / "destinations.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def refused(path: Path | None = None) -> str:
    """What is said of settings that cannot be used."""
    with pytest.raises(ConfigError) as raised:
        load(path)
    return raised.value.message


class TestFile:
    """Where the file is and what it says."""

    def test_without_a_file_the_defaults_hold(self):
        """No file and an empty environment are a server on loopback without destinations."""
        settings = load()

        assert settings.destinations == {}
        assert settings.address == ("127.0.0.1", 8000)
        assert settings.server == Server(deadline=25, max_body=32 * 2**20, max_rows=10_000)

    def test_a_file_of_windows_is_read(self, tmp_path):
        """With the byte order mark and the line ends that its editors write."""
        text = '[destinations.crm]\nkind = "webhook"\nurl = "https://x"\n'
        path = tmp_path / "windows.toml"
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())

        assert load(path).destinations == {"crm": {"kind": "webhook", "url": "https://x"}}

    @pytest.mark.parametrize(
        "text",
        ["x = " + "[" * 50_000 + "]" * 50_000, "x = " + "9" * 5_000, "x = \udcff"],
        ids=["deep", "long", "no text"],
    )
    def test_a_file_that_no_parser_likes_is_told(self, tmp_path, text):
        """Whatever the parser raises, it is the file that is wrong."""
        path = tmp_path / "odd.toml"
        path.write_bytes(text.encode(errors="surrogateescape"))

        assert refused(path).startswith(f"{path}: is ")

    def test_the_default_file_is_read(self, written):
        """``destinations.toml`` in the working folder is read when it is there."""
        written('[server]\ndeadline = 20\n[destinations.crm]\nkind = "webhook"\nurl = "https://x"')

        settings = load()

        assert settings.server.deadline == 20
        assert settings.destinations == {"crm": {"kind": "webhook", "url": "https://x"}}

    def test_a_named_file_is_read(self, tmp_path, monkeypatch):
        """An argument beats DESTINATION_CONFIG, which beats the default."""
        for name in ("a", "b"):
            (tmp_path / name).write_text(f'[destinations.{name}]\nkind = "webhook"', "utf-8")
        monkeypatch.setenv("DESTINATION_CONFIG", str(tmp_path / "a"))

        assert list(load().destinations) == ["a"]
        assert list(load(tmp_path / "b").destinations) == ["b"]

    def test_a_named_file_that_is_missing_is_an_error(self, tmp_path, monkeypatch):
        """A file that was asked for must be there."""
        assert "cannot be read" in refused(tmp_path / "missing.toml")
        monkeypatch.setenv("DESTINATION_CONFIG", "nowhere.toml")
        assert "nowhere.toml" in refused()

    @pytest.mark.parametrize("content", [b"[server", b"\xff\xfe", b"a = b = c"])
    def test_a_file_that_is_not_toml_is_an_error(self, tmp_path, content):
        """The file is named; a byte that is no text is no crash."""
        path = tmp_path / "destinations.toml"
        path.write_bytes(content)

        assert "is not TOML" in refused()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[sever]\ndeadline = 1", 'Setting "sever" does not exist. Did you mean "server"?'),
            (
                "[server]\ndeadlin = 1",
                'server.deadlin: Setting "deadlin" does not exist. Did you mean "deadline"?',
            ),
            ("[server]\ncolour = 1", 'server.colour: Setting "colour" does not exist.'),
            ("token = 'x'", 'Setting "token" does not exist.'),
        ],
    )
    def test_an_unknown_key_is_named_with_the_closest(self, written, text, message):
        """A typing error is told, with the name that was probably meant."""
        written(text)

        assert message in refused()

    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ("[server]\ndeadline = 0.5", "server.deadline"),
            ("[server]\ndeadline = 'soon'", "server.deadline"),
            ("[server]\nmax_rows = 0", "server.max_rows"),
            ("[server]\nmax_body = '32 parsecs'", "server.max_body"),
            ("[server]\nmax_body = -1", "server.max_body"),
            ("[destinations.Team]\nkind = 'webhook'", "Team"),
            ("[destinations.'a b']\nkind = 'webhook'", "a b"),
            ("[destinations]\ncrm = 5", "destinations.crm"),
            ("server = 5", "server"),
        ],
    )
    def test_a_wrong_value_is_named(self, written, text, where):
        """The setting's name and what was expected."""
        written(text)

        assert where in refused()

    @pytest.mark.parametrize(
        ("size", "count"),
        [
            ("1024", 1024),
            ('"1024"', 1024),
            ('"64 KiB"', 65536),
            ('"2mib"', 2**21),
            ('"1GiB"', 2**30),
        ],
    )
    def test_sizes_have_units(self, written, size, count):
        """Bytes are a number, or text with a unit."""
        written(f"[server]\nmax_body = {size}")

        assert load().server.max_body == count


class TestEnvironment:
    """Everything can come from it, and it beats the file."""

    def test_destinations_come_from_it_alone(self, monkeypatch):
        """A platform without files names everything in variables."""
        monkeypatch.setenv("DESTINATIONS__CRM__KIND", "webhook")
        monkeypatch.setenv("DESTINATIONS__CRM__URL", "https://example.com/rows")
        monkeypatch.setenv("DESTINATIONS__CRM__AUTH__SCHEME", "bearer")
        monkeypatch.setenv("DESTINATIONS__CRM__AUTH__TOKEN", "t")
        monkeypatch.setenv("SERVER__DEADLINE", "20")

        settings = load()

        assert settings.destinations == {
            "crm": {
                "kind": "webhook",
                "url": "https://example.com/rows",
                "auth": {"scheme": "bearer", "token": "t"},
            }
        }
        assert settings.server.deadline == 20

    def test_it_beats_the_file_key_by_key(self, written, monkeypatch):
        """What a variable says replaces the file's; the rest of the file stays."""
        written(
            '[server]\ndeadline = 20\nmax_rows = 5\n[destinations.crm]\nkind = "webhook"\nurl = "a"'
        )
        monkeypatch.setenv("SERVER__DEADLINE", "10")
        monkeypatch.setenv("DESTINATIONS__CRM__URL", "b")
        monkeypatch.setenv("DESTINATIONS__OTHER__KIND", "webhook")

        settings = load()

        assert (settings.server.deadline, settings.server.max_rows) == (10, 5)
        assert settings.destinations == {
            "crm": {"kind": "webhook", "url": "b"},
            "other": {"kind": "webhook"},
        }

    def test_other_variables_do_no_harm(self, monkeypatch):
        """A platform's own variables are nobody's settings."""
        monkeypatch.setenv("SERVER_SOFTWARE", "x")
        monkeypatch.setenv("DESTINATION_UNRELATED", "x")

        assert load().destinations == {}

    @pytest.mark.parametrize(
        ("name", "value", "field", "expected"),
        [
            ("LOG_LEVEL", "DEBUG", "log_level", "debug"),
            ("LOG_LEVEL", "warning", "log_level", "warning"),
            ("LOG_FORMAT", "json", "log_format", "json"),
        ],
    )
    def test_the_log_is_set_by_it(self, monkeypatch, name, value, field, expected):
        """Level and format of the log, in any case."""
        monkeypatch.setenv(name, value)

        assert getattr(load(), field) == expected

    @pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("LOG_LEVEL", "loud")])
    def test_a_wrong_variable_is_named(self, monkeypatch, name, value):
        """The variable's name, not its value."""
        monkeypatch.setenv(name, value)

        message = refused()

        assert message.startswith(f"{name}: must be ")


class TestReferences:
    """``${NAME}`` in the file."""

    ENVIRONMENT: ClassVar = {"TOKEN": "t0ken", "EMPTY": "", "NESTED": "${TOKEN}"}

    @pytest.mark.parametrize(
        ("text", "expanded"),
        [
            ("${TOKEN}", "t0ken"),
            ("a${TOKEN}b${TOKEN}", "at0kenbt0ken"),
            ("${MISSING:-default}", "default"),
            ("${MISSING:-}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:-default}", ""),
            ("$${TOKEN}", "${TOKEN}"),
            ("$${MISSING}", "${MISSING}"),
            ("$${{ x }}", "$${{ x }}"),
            ("${NESTED}", "${TOKEN}"),
            ("$TOKEN {TOKEN} ${not a name}", "$TOKEN {TOKEN} ${not a name}"),
            ("", ""),
        ],
    )
    def test_strings_are_expanded(self, text, expanded):
        """Names and defaults are replaced, once, and an escape is a literal."""
        assert expand(text, self.ENVIRONMENT) == expanded

    def test_they_are_expanded_at_any_depth(self):
        """In tables and lists; other values stay."""
        value = {"a": ["${TOKEN}", 1, True, {"b": "${TOKEN}"}], "${TOKEN}": None}

        assert expand(value, self.ENVIRONMENT) == {
            "a": ["t0ken", 1, True, {"b": "t0ken"}],
            "${TOKEN}": None,
        }

    def test_a_name_that_is_not_set_is_an_error(self, written):
        """The error names the variable and the place that needs it."""
        written('[destinations.crm]\nkind = "webhook"\nauth = { tokens = ["a", "${CRM_TOKEN}"] }')

        assert refused() == (
            "destinations.crm.auth.tokens[1]: the environment variable CRM_TOKEN is not set"
        )

    def test_a_file_s_secret_comes_from_the_environment(self, written, monkeypatch):
        """The file can be committed: the secret is not in it."""
        written('[destinations.crm]\nkind = "webhook"\nauth = { token = "${CRM_TOKEN}" }')
        monkeypatch.setenv("CRM_TOKEN", "t0ken")

        assert load().destinations["crm"]["auth"] == {"token": "t0ken"}


class TestSecrets:
    """What callers must send."""

    def test_one_or_several(self, monkeypatch):
        """Several are separated by commas while rotating."""
        monkeypatch.setenv("DESTINATION_TOKEN", SECRET)
        assert load().secrets == (SECRET,)
        monkeypatch.setenv("DESTINATION_TOKEN", f"{SECRET} , {OTHER}")
        assert load().secrets == (SECRET, OTHER)

    @pytest.mark.parametrize(
        ("given", "position"),
        [
            ("", 1),
            ("short", 1),
            ("x" * (SHORTEST_SECRET - 1), 1),
            (f"{SECRET},", 2),
            (f"{SECRET},short", 2),
            (f",{SECRET}", 1),
            (" " * 64, 1),
        ],
    )
    def test_a_short_or_empty_one_is_refused(self, monkeypatch, given, position):
        """Every one must be long enough; the error says which is not, and how to make one."""
        monkeypatch.setenv("DESTINATION_TOKEN", given)

        message = refused()

        assert f"DESTINATION_TOKEN: secret {position} has " in message
        assert "token_urlsafe" in message
        assert SECRET not in message
        assert "short" not in message

    def test_they_are_not_shown(self, monkeypatch, written):
        """Neither repr nor an error about something else holds a secret."""
        monkeypatch.setenv("DESTINATION_TOKEN", SECRET)
        settings = load()

        assert SECRET not in repr(settings) + str(settings)

        written(f'[server]\ndeadline = "{SECRET}"\n"{OTHER}" = 1')
        assert SECRET not in refused()

    def test_the_destinations_credentials_are_not_shown(self, monkeypatch):
        """What stands in a destination's table is not shown by repr either."""
        monkeypatch.setenv("DESTINATIONS__CRM__AUTH__TOKEN", SECRET)

        assert SECRET not in repr(load())

    @pytest.mark.parametrize("model", [{"auth": {"token": SECRET}}, SECRET, [SECRET]])
    def test_an_error_does_not_quote_a_destination(self, model):
        """A table that cannot be one is named, not shown."""
        with pytest.raises(ValueError) as raised:
            Settings(destinations={"Bad Name": model})

        assert SECRET not in str(raised.value)


class TestAddress:
    """Where the server listens."""

    @pytest.mark.parametrize(
        ("environment", "address"),
        [
            ({}, ("127.0.0.1", 8000)),
            ({"HOST": "localhost"}, ("localhost", 8000)),
            ({"HOST": "::1"}, ("::1", 8000)),
            ({"HOST": "127.0.0.1", "PORT": "9"}, ("127.0.0.1", 9)),
            ({"PORT": "9", "DESTINATION_TOKEN": SECRET}, ("0.0.0.0", 9)),
            ({"HOST": "10.0.0.1", "DESTINATION_TOKEN": SECRET}, ("10.0.0.1", 8000)),
            ({"PORT": "0", "DESTINATION_TOKEN": SECRET}, ("0.0.0.0", 0)),
        ],
    )
    def test_it_follows_host_and_port(self, monkeypatch, environment, address):
        """Loopback by default; with PORT alone, as platforms set it, everywhere."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

        assert load().address == address

    @pytest.mark.parametrize(
        "environment", [{"PORT": "9"}, {"HOST": "0.0.0.0"}, {"HOST": "10.0.0.1", "PORT": "9"}]
    )
    def test_without_a_secret_it_is_loopback(self, monkeypatch, environment):
        """An open server listens to this machine only, and says what to do."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

        message = refused()

        assert message.startswith("DESTINATION_TOKEN is not set")
        assert "loopback" in message
        assert "Authorization: Bearer" in message


def test_settings_are_frozen() -> None:
    """Nothing changes them while the server runs."""
    settings: Any = load()

    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


def test_the_environment_is_taken_as_it_is_written(monkeypatch, tmp_path):
    """A leaf is text, also when it looks like a number; JSON is read where it starts as JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DESTINATIONS__CRM__AUTH__TOKEN", "1234567890")
    monkeypatch.setenv("DESTINATIONS__CRM__HEADERS", '{"X-A": "b"}')

    crm = load().destinations["crm"]

    assert crm == {"auth": {"token": "1234567890"}, "headers": {"X-A": "b"}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DESTINATIONS", "no JSON"),
        ("DESTINATIONS", "/app/destinations.py"),
        ("DESTINATIONS", "[1]"),
        ("DESTINATIONS", "[" * 50_000),
        ("SERVER", "1"),
        ("DESTINATIONS__CRM__HEADERS", "{"),
        ("DESTINATIONS__CRM__HEADERS", "[" * 50_000 + "]" * 50_000),
        ("PORT", "99999"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(monkeypatch, tmp_path, name, value):
    """A variable that cannot be used is a configuration error, not a traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError, match=f"(?i){name}"):
        load()
