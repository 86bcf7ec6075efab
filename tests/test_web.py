"""Who is let in, and what is kept of the secrets that let them."""

import hmac
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from destination.settings import Settings
from destination.web import Secrets

FIRST, SECOND = "f" * 40, "s" * 40


def admitted(accepted: Secrets, *headers: tuple[str, str]) -> bool:
    return accepted.admit(make_mocked_request("POST", "/", headers=CIMultiDict(headers)))


def test_without_secrets_everybody_is_let_in() -> None:
    """A server without a secret, which listens on loopback only, asks for none."""
    assert admitted(Secrets([]))
    assert admitted(Secrets([]), ("Authorization", "Bearer anything"))


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_bearer_is_let_in(name: str, scheme: str) -> None:
    """A secret is taken from Authorization, whatever the case of the name and the scheme."""
    assert admitted(Secrets([FIRST]), (name, scheme + FIRST))


def test_key_is_let_in() -> None:
    """A secret is taken from X-Api-Key."""
    assert admitted(Secrets([FIRST]), ("x-api-key", f" {FIRST} "))


def test_every_secret_is_as_good() -> None:
    """Each of several secrets lets in."""
    accepted = Secrets([FIRST, SECOND])

    assert admitted(accepted, ("X-Api-Key", FIRST))
    assert admitted(accepted, ("X-Api-Key", SECOND))
    assert not admitted(accepted, ("X-Api-Key", FIRST + SECOND))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", FIRST)],
        [("Authorization", f"Basic {FIRST}")],
        [("Authorization", f"Bearer {FIRST[:-1]}")],
        [("Authorization", f"Bearer {FIRST}f")],
        [("Authorization", f"Bearer {FIRST.upper()}")],
        [("Authorization", f"Bearer {FIRST}"), ("Authorization", f"Bearer {FIRST}")],
        [("Authorization", "Bearer é😀")],
        [("X-Api-Key", f"Bearer {FIRST}")],
        [("X-Api-Key", FIRST), ("X-Api-Key", FIRST)],
        [("X-Token", FIRST)],
        [("Cookie", f"token={FIRST}")],
    ],
)
def test_everything_else_is_not(headers: list[tuple[str, str]]) -> None:
    """A request without a secret in exactly one well-formed header is not let in."""
    assert not admitted(Secrets([FIRST]), *headers)


def test_secret_beyond_ascii_is_let_in() -> None:
    """A secret may have characters beyond ASCII."""
    assert admitted(Secrets(["é😀" * 20]), ("X-Api-Key", "é😀" * 20))


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the first, the last or no secret fits, the same digests are compared in full."""
    compared: list[tuple[int, int]] = []
    original = hmac.compare_digest

    def counted(offered: Any, kept: Any) -> bool:
        compared.append((len(offered), len(kept)))
        return original(offered, kept)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    accepted = Secrets([FIRST, SECOND])

    for value, fits in ((FIRST, True), (SECOND, True), ("x", False), ("y" * 8000, False)):
        compared.clear()
        assert admitted(accepted, ("X-Api-Key", value)) is fits
        assert compared == [(32, 32)] * 2


def test_secrets_are_not_kept() -> None:
    """Of a secret only the digest stays in memory, and nothing shows it."""
    accepted = Secrets([FIRST])

    assert FIRST not in repr(accepted)
    assert FIRST not in repr(vars(accepted))


def test_settings_do_not_show_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the text nor the dump of the settings shows the callers' secrets."""
    monkeypatch.delenv("DESTINATION_TOKEN", raising=False)
    settings = Settings(destination_token=f"{FIRST},{SECOND}")
    assert settings.secrets == (FIRST, SECOND)

    for shown in (
        repr(settings),
        str(settings),
        repr(settings.model_dump()),
        settings.model_dump_json(),
    ):
        assert FIRST not in shown
        assert SECOND not in shown


def test_settings_do_not_show_a_secret_that_is_too_short() -> None:
    """The complaint about a short secret does not repeat it."""
    with pytest.raises(ValueError, match="DESTINATION_TOKEN") as raised:
        Settings(destination_token="hunter2")

    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(raised.value)


def test_settings_do_not_show_the_vendors_secrets() -> None:
    """The settings of the destinations, among which are the vendors' secrets, are not shown."""
    settings = Settings(destinations={"team": {"kind": "slack", "token": "xoxb-hunter2"}})

    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)
