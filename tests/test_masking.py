"""No credential gets out in a text, however a vendor writes it."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from pydantic import BaseModel, HttpUrl, RootModel, SecretBytes, SecretStr

from destination import Record, RefusedError, quoted
from destination.confidential import paths_in, secrets_in
from destination.masking import MASK, Mask

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
        ("key abcdefgh… is wrong", "key [secret]… is wrong"),
        ("…23456789 is wrong", "…[secret] is wrong"),
        ("abcdefgh-…-23456789", "[secret]-…-[secret]"),
        ("abcdefgh23456789 abcdefgh23456789", "[secret] [secret]"),
        ("[secret] and abcdefgh23456789", "[secret] and [secret]"),
        ("abcdefg is a word", "abcdefg is a word"),
    ],
)
def test_a_part_of_a_secret_is_hidden(text, shown):
    """What a vendor left of it, from eight characters on; what is hidden already stays."""
    assert mask("abcdefgh23456789").text(text) == shown


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

    assert text == "&lt;b&gt;[secret]amp;[secret]&lt;/b&gt;"
