"""The example spec files: their own tests, their form, and what operators and marketers see."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from support import Serve

from destination.spec.files import file_schema, read
from destination.spec.kinds import load
from destination.testing.specs import spec_tests

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "delivery-spec.schema.json"
EXAMPLES = sorted((ROOT / "examples" / "specs").iterdir())
SETTINGS: dict[str, dict[str, Any]] = {
    "braze.toml": {"endpoint": "https://rest.iad-01.braze.com", "api_key": "key"},
    "salesforce.json": {
        "url": "https://acme.my.salesforce.com",
        "client_id": "id",
        "client_secret": "secret",
    },
    "twilio.yaml": {"account_sid": f"AC{1:032}", "secret": "token"},
}

test_examples = spec_tests(*EXAMPLES)

each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)


def as_an_editor_reads(path: Path) -> Any:
    """A file's content, read by the format's usual parser."""
    parse = {".toml": tomllib.loads, ".json": json.loads, ".yaml": yaml.safe_load}[path.suffix]
    return json.loads(json.dumps(parse(path.read_text("utf-8")), default=str))


def test_there_is_one_of_each_format() -> None:
    """TOML, JSON and YAML each have an example."""
    assert {path.suffix for path in EXAMPLES} == {".toml", ".json", ".yaml"}


def test_the_published_schema_is_up_to_date() -> None:
    """``destination describe spec --json > docs/delivery-spec.schema.json`` changes nothing."""
    assert SCHEMA.read_text("utf-8") == json.dumps(file_schema(), indent=2) + "\n"


@each_example
def test_an_example_names_the_published_schema(path: Path) -> None:
    """An editor finds the schema from the example, in the way of its format."""
    marks = {
        ".toml": "#:schema {}\n",
        ".json": '"$schema": "{}",\n',
        ".yaml": "# yaml-language-server: $schema={}\n",
    }

    mark = marks[path.suffix].format("../../docs/delivery-spec.schema.json")

    assert mark in path.read_text("utf-8")
    assert (path.parent / "../../docs/delivery-spec.schema.json").exists()


@each_example
def test_an_example_is_of_the_published_schema(path: Path) -> None:
    """What an editor checks against the schema is right."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.Draft202012Validator(schema).validate(as_an_editor_reads(path))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("nmae", "x"),
        ("objects", [{"id": "x"}]),
        ("limits", {"rate": -1}),
        ("auth", {"scheme": "barer"}),
    ],
)
def test_the_schema_finds_mistakes(place: str, value: Any) -> None:
    """An editor marks an unknown name, a wrong number and a scheme that does not exist."""
    content = as_an_editor_reads(EXAMPLES[0])
    validator = jsonschema.Draft202012Validator(file_schema())

    assert not validator.is_valid({**content, place: value})


@each_example
def test_who_reads_an_example_is_told_what_matters(path: Path) -> None:
    """Each has a description and the vendor's page, a check, and tests of every request."""
    document = read(path)

    assert document.label
    assert document.description
    assert document.docs.startswith("https://")
    assert document.check is not None
    for object in document.objects:
        assert any(field.identifier for field in object.fields)
    for form in (document.settings, document.options):
        assert all(each.get("title") for each in form["properties"].values())


@each_example
async def test_what_a_marketer_sees(path: Path, serve: Serve) -> None:
    """The server offers the objects, modes, fields and options of the file."""
    values = {"kind": "spec", "spec": str(path), **SETTINGS[path.name]}
    server = await serve({"vendor": values})
    where = "/hightouch/vendor"
    for object in load(path).objects:
        chosen = {"object": object.id, "mode": object.modes[0].id}

        modes = await server.result("list_modes", {"object": object.id}, path=where)
        fields = await server.result("list_fields", chosen, path=where)
        options = (await server.result("list_options", chosen, path=where))["options"]

        assert [each["id"] for each in modes["modes"]] == [each.id for each in object.modes]
        assert [each["id"] for each in fields["fields"]] == [each.id for each in object.fields]
        jsonschema.Draft7Validator.check_schema(options["schema"])
        assert all(each["title"] for each in options["schema"]["properties"].values())
