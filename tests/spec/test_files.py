"""Spec files are read the same in TOML, JSON and YAML, whatever is in them."""

from pathlib import Path
from typing import Any

import pytest

from destination.errors import ConfigError
from destination.spec.files import LARGEST, MOST_VALUES, file_schema, read

TOML = """
name = "acme"
base_url = "https://api.acme.example"
requests.save = { url = "/people", answer.statuses = { 404 = "delivered" } }

[[objects]]
modes = [{ id = "insert", add = "save" }]
fields = [{ id = "email" }]

[[tests]]
name = "a test"
records = [
  { email = "a", born = 1990-01-31, met = 2026-01-31T09:30:00Z, rose = 06:30:00, on = true },
]
"""
JSON = """
{
  "name": "acme",
  "base_url": "https://api.acme.example",
  "requests": { "save": { "url": "/people", "answer": { "statuses": { "404": "delivered" } } } },
  "objects": [{ "modes": [{ "id": "insert", "add": "save" }], "fields": [{ "id": "email" }] }],
  "tests": [{ "name": "a test", "records": [{
    "email": "a", "born": "1990-01-31", "met": "2026-01-31T09:30:00+00:00",
    "rose": "06:30:00", "on": true
  }] }]
}
"""
YAML = """
name: acme
base_url: https://api.acme.example
requests:
  save: { url: /people, answer: { statuses: { 404: delivered } } }
objects:
  - modes: [{ id: insert, add: save }]
    fields: [{ id: email }]
tests:
  - name: a test
    records:
      - { email: a, born: 1990-01-31, met: "2026-01-31T09:30:00+00:00", rose: 06:30:00, on: true }
"""


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(folder: Path, name: str, content: str | bytes) -> str:
    """Why a file is refused."""
    with pytest.raises(ConfigError) as caught:
        read(written(folder, name, content))
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "content"), [("a.toml", TOML), ("a.json", JSON), ("a.yaml", YAML), ("a.YML", YAML)]
)
def test_the_formats_say_the_same(tmp_path: Path, name: str, content: str) -> None:
    """One document comes of each; statuses are text, and so are dates and times."""
    document = read(written(tmp_path, name, content))

    assert document == read(written(tmp_path, "b.json", JSON))
    assert document.requests["save"].answer.statuses == {"404": "delivered"}
    assert document.tests[0].records[0]["born"] == "1990-01-31"
    assert document.tests[0].records[0]["on"] is True


@pytest.mark.parametrize(
    ("written_as", "value"),
    [
        ("no", "no"),
        ("On", "On"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-1.5e3", -1500.0),
        ("012", "012"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        (".inf", ".inf"),
        ("=", "="),
        ("'12'", "12"),
        ("2026-01-31", "2026-01-31"),
    ],
)
def test_a_value_of_yaml_is_what_it_looks_like(tmp_path: Path, written_as: str, value: Any) -> None:
    """Only true, false, null and plain numbers are not text: a country may be ``no``."""
    content = YAML.replace("email: a,", f"email: {written_as},")

    record = read(written(tmp_path, "a.yaml", content)).tests[0].records[0]

    assert record["email"] == value
    assert type(record["email"]) is type(value)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    assert read(written(tmp_path, "a.toml", "\ufeff" + TOML)).name == "acme"


def test_anchors_stand_for_what_they_name(tmp_path: Path) -> None:
    """An alias of YAML is the same value once more."""
    content = YAML.replace("email: a,", "email: &one { x: 1 }, again: *one,")

    record = read(written(tmp_path, "a.yaml", content)).tests[0].records[0]

    assert record["again"] == record["email"] == {"x": 1}


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.toml", "name = ", "is not TOML: Invalid value"),
        ("a.json", '{"name": }', "is not JSON: Expecting value: line 1 column 10 (char 9)"),
        ("a.yaml", "name: [a", "is not YAML: line 1, column 9: expected ',' or ']', but got "),
        ("a.yaml", "a: 1\n---\nb: 2", "is not YAML: line 2, column 1: but found another document"),
        ("a.yaml", "a: \x07", "is not YAML: it cannot be read"),
        ("a.yaml", "a: *nobody", "is not YAML: line 1, column 4: found undefined alias 'nobody'"),
        ("a.txt", "", "a spec file's name ends in .toml, .json, .yaml, .yml"),
        ("a", "", "a spec file's name ends in .toml, .json, .yaml, .yml"),
        ("a.yaml", "", "is not a table of names and values"),
        ("a.json", "[]", "is not a table of names and values"),
        ("a.json", '"acme"', "is not a table of names and values"),
        ("a.json", '{"a": 1, "a": 2}', '"a" stands twice in one table'),
        ("a.yaml", "a: 1\na: 2", '"a" stands twice in one table'),
        ("a.toml", "a = 1\na = 2", "is not TOML: Cannot overwrite a value"),
        ("a.yaml", "? [a]\n: 1", "line 1: a key must be text"),
        ("a.toml", "a = nan", "has a number that is not finite"),
        ("a.json", '{"a": -Infinity}', "has a number that is not finite"),
        ("a.yaml", "a: 1e999", "has a number that is not finite"),
        ("a.json", f'{{"a": {"1" * 5000}}}', "is not JSON: Exceeds the limit"),
        ("a.yaml", f"b:\na: {'1' * 5000}", "line 2: a number is too long"),
    ],
)
def test_a_file_that_cannot_be_understood_is_told(
    tmp_path: Path, name: str, content: str, why: str
) -> None:
    """The message says the file, and where in it as far as that is known."""
    assert refused(tmp_path, name, content).startswith(f"{name}: {why}")


@pytest.mark.parametrize("name", ["a.toml", "a.json", "a.yaml"])
@pytest.mark.parametrize("depth", [70, 3_000, 100_000])
def test_depth_is_bounded(tmp_path: Path, name: str, depth: int) -> None:
    """No nesting is too deep to be refused in a sentence."""
    prefix = "a = " if name == "a.toml" else ""

    told = refused(tmp_path, name, f"{prefix}{'[' * depth}{']' * depth}")

    assert told == f"{name}: is nested too deeply"


def test_a_bomb_of_anchors_does_not_go_off(tmp_path: Path) -> None:
    """Aliases of aliases are counted as often as they are named, and counting ends."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]

    told = refused(tmp_path, "a.yaml", "\n".join(lines))

    assert told == f"a.yaml: has more than {MOST_VALUES:,} values"


def test_an_anchor_inside_of_itself_is_refused(tmp_path: Path) -> None:
    """What holds itself is nested without end."""
    assert refused(tmp_path, "a.yaml", "a: &a [*a]") == "a.yaml: is nested too deeply"


def test_size_is_bounded(tmp_path: Path) -> None:
    """A file is read no further than its limit, and has no more values than its own."""
    large, many = "#" * (LARGEST + 1), f'{{"a": [{"1," * MOST_VALUES}1]}}'

    assert refused(tmp_path, "a.toml", large).endswith("a.toml: is larger than 1,024 kB")
    assert refused(tmp_path, "a.json", many) == "a.json: has more than 20,000 values"


def test_a_file_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    """So that a path that is relative to another folder is found out."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path / "nowhere" / "acme.toml")

    told = f"{tmp_path}/nowhere/acme.toml: cannot be read: No such file or directory"
    assert caught.value.message == told


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, and a folder, are no spec file."""
    (tmp_path / "folder.toml").mkdir()

    assert refused(tmp_path, "a.toml", b"\xff\xfe").endswith("it is not text in UTF-8")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path / "folder.toml")


def test_every_problem_is_a_line_that_names_the_file(tmp_path: Path) -> None:
    """Two mistakes are two lines."""
    told = refused(tmp_path, "acme.yaml", YAML.replace("name: acme", "nmae: acme"))

    assert told.splitlines() == [
        "acme.yaml: name: is missing",
        'acme.yaml: nmae: Setting "nmae" does not exist. Did you mean "name"?',
    ]


def test_the_schema_is_one() -> None:
    """The published form is a JSON Schema whose every property says what it is."""
    schema = file_schema()

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for model in [schema, *schema["$defs"].values()]:
        for name, prop in model.get("properties", {}).items():
            assert prop.get("description") or "$ref" in prop, name
