"""What several commands are told: headers, and the configuration of a sync."""

from pathlib import Path

import pytest

from destination.cli import Stop
from destination.cli.options import headers, sync_configuration


def test_the_token_is_a_bearer_unless_a_header_says_otherwise() -> None:
    """Of several tokens, as while rotating, the first is sent; a header of one's own goes first."""
    assert headers((), "one, two") == {"Authorization": "Bearer one"}
    assert headers(("authorization: Basic x",), "one") == {"authorization": "Basic x"}
    assert headers(("X-Api-Key:  a:b ",), None) == {"X-Api-Key": "a:b"}
    assert headers((), "") == {}


@pytest.mark.parametrize(
    ("given", "token"),
    [(("canary",), None), ((": canary",), None), (("X: canary\r\nY: 1",), None), ((), "canary\n2")],
)
def test_headers_that_cannot_be_sent_are_refused(given: tuple[str, ...], token: str | None) -> None:
    """A header that is none, or would become two, is refused without being shown."""
    with pytest.raises(Stop, match=r"header|token") as raised:
        headers(given, token)

    assert "canary" not in str(raised.value)


def test_a_configuration_is_typed_or_in_a_file(tmp_path: Path) -> None:
    """What begins with a brace is the configuration itself, anything else names a file of it."""
    (tmp_path / "sync.json").write_bytes(b'\xef\xbb\xbf{"mode": "upsert", "mappings": []}')

    assert sync_configuration(' {"mode": "mirror"}') == {"mode": "mirror"}
    assert sync_configuration(str(tmp_path / "sync.json")) == {"mode": "upsert", "mappings": []}


@pytest.mark.parametrize("content", ["[]", '{"a": NaN}', '{"a": "\\ud800"}', "{", '{"a":' * 10**5])
def test_what_is_no_json_object_is_no_configuration(tmp_path: Path, content: str) -> None:
    """It is refused from a file as well as typed, without being shown."""
    path = tmp_path / "sync.json"
    path.write_text(content)

    with pytest.raises(Stop, match="It is not a JSON object"):
        sync_configuration(str(path))
    if content.startswith("{"):
        with pytest.raises(Stop, match="It is not a JSON object"):
            sync_configuration(content)
