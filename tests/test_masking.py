"""No credential gets out in a text, however a vendor writes it."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from pydantic import BaseModel, HttpUrl, RootModel, SecretBytes, SecretStr

from destination import Record, RefusedError, quoted
from destination.confidential import paths_in, secrets_in
from destination.masking import LEAST, MASK, Mask

LONG = "abcdefgh23456789ijkmnpqr"
SECRET = 'kR7/w+Zq"3 vN&x8=Lé'


def mask(*secrets: str, wholes: tuple[str, ...] = ()) -> Mask:
    """One that knows these."""
    return Mask(lambda: secrets, wholes)


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        SECRET.upper(),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        *(b64encode(f"{'u' * n}:{SECRET}".encode()).decode() for n in range(3)),
        *(urlsafe_b64encode(f"{SECRET}{'u' * n}".encode()).decode() for n in range(3)),
    ],
)
def test_a_secret_is_found_however_it_is_written(written):
    """In address, JSON or Basic credentials, whatever the user's name."""
    told = mask(SECRET).text(f"the key {written}, is not known")

    assert told == "the key [secret], is not known"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key abcdefgh23456789ijk… is wrong", "key [secret]… is wrong"),
        ("…efgh23456789ijkmnpqr is wrong", "…[secret] is wrong"),
        ("xgh23456789ijx", "x[secret]x"),
        ("xgh23456789ix", "xgh23456789ix"),
        (f"{LONG} {LONG.upper()}", "[secret] [secret]"),
        (LONG * 2, "[secret]"),
        (f"[secret] and {LONG}", "[secret] and [secret]"),
    ],
)
def test_a_part_of_a_secret_is_hidden(text, shown):
    """What a vendor left of it, where its middle is there; what is hidden already stays."""
    assert mask(LONG).text(text) == shown


@pytest.mark.parametrize("secret", ["pass1234", LONG, "services/T0TEAM/B0BOT/aX3dE6gH9jK2mN5p"])
def test_who_guesses_learns_nothing_of_a_part(secret):
    """Messages quote options and rows: a part that is right is shown as one that is wrong."""
    for start in range(len(secret)):
        for end in range(start + 1, min(len(secret), start + LEAST - 1)):
            told = f'Mode "{secret[start:end]}" does not exist.'
            assert mask(secret).text(told) == told


def test_short_secrets_are_found_whole():
    """One of fewer than four characters only as a word, or it would be everywhere."""
    assert mask("ab1").text("ab1, cab1e") == "[secret], cab1e"
    assert mask("secret").text("[secret] secret") == "[secret] [secret]"
    assert mask("pass1").text("xpass1y pass2") == "x[secret]y pass2"
    assert mask("", " ").text("a  b") == "a  b"


def test_what_is_no_secret_stays():
    """Long words that could be Base64 are looked into, and left."""
    text = "SubscriptionNotFound: configuration/subscriptions_and-more=="

    assert mask(SECRET, "k", "key").text(text) == text
    assert mask().text(text) == text


def test_secrets_that_come_later_are_hidden_too():
    """Tokens are obtained while there are texts already."""
    secrets = ["abcdefgh"]
    growing = Mask(lambda: secrets)

    assert growing.text("abcdefgh ijklmnop") == "[secret] ijklmnop"
    secrets.append("ijklmnop")
    assert growing.text("abcdefgh ijklmnop") == "[secret] [secret]"


def test_vendors_words_are_masked_before_rows_are():
    """A row's value that stands in a secret does not tear it apart."""
    MASK.set(mask("live-ann-0c4f-77"))
    record = Record(0, 1, {"name": "ann"}, {})

    assert quoted("live-ann-0c4f-77 and ann", record) == "[secret] and [name]"


def test_an_error_is_masked_in_all_that_it_says():
    """Message, reason and text are one."""
    error = RefusedError("refused abcdefgh")

    mask("abcdefgh").error(error)

    assert (error.message, str(error)) == ("refused [secret]", "refused [secret]")
    assert "abcdefgh" not in repr(error) + error.reason


class Inner(BaseModel):
    """Settings within settings."""

    tokens: tuple[SecretStr, ...] = (SecretStr("first-token"), SecretStr("second-token"))
    key: SecretBytes = SecretBytes(b"bytes-key")


class Either(RootModel[Inner]):
    """One of several shapes."""


class Some(BaseModel):
    """Settings of all sorts."""

    inner: Either = Either(Inner())
    nothing: SecretStr | None = None
    headers: dict[str, str] = {
        "X-Api-Key": "header-key",
        "Authorization": "Bearer header-token",
        "X-Source": "hightouch",
        "X-Token": "{{ token }}",
    }
    operations: dict[str, dict[str, str]] = {"add": {"password": "add-password"}}
    url: str = "https://example.com/hooks/catch/1234/abcd?list=7&api_key=query-key"
    address: HttpUrl = HttpUrl("https://example.com/rows?token=url-token")
    store: SecretStr = SecretStr("postgres://user:pass%2Fword@example.com/base")
    hook: SecretStr = SecretStr("https://example.com/services/T0/B0")
    host: SecretStr = SecretStr("https://tenant.example.com")
    odd: SecretStr = SecretStr("https://[")


def test_secrets_are_found_at_any_depth_of_the_settings():
    """Hidden values, and those of tables and queries whose names say what they are."""
    assert set(secrets_in(Some())) == {
        *("first-token", "second-token", "bytes-key", "header-key", "header-token"),
        *("add-password", "query-key", "url-token", "pass%2Fword", "pass/word"),
        *("services/T0/B0", "tenant.example.com", "["),
    }


def test_a_long_path_of_an_address_is_hidden_as_a_whole():
    """It may be what lets a request in; a short one, and a word of it, are not."""
    paths = tuple(paths_in(Some()))
    assert paths == ("hooks/catch/1234/abcd",)

    text = mask(wholes=("hooks/catch/1234/abcd",)).text
    assert text("Cannot POST /hooks/catch/1234/abcd") == "Cannot POST /[secret]"
    assert text("no hooks in 1234") == "no hooks in 1234"


def test_a_page_of_html_holds_no_secret():
    """A proxy's page escapes in a way of its own."""
    text = mask("abcdefgh&ijklmnop").text(html.escape("<b>abcdefgh&ijklmnop</b>"))

    assert text == "&lt;b&gt;[secret]&lt;/b&gt;"
