"""The conformance cases of group C: what the form asks while a sync is being set up."""

import asyncio
from typing import Any

import jsonschema
import msgspec
import pytest
from pydantic import BaseModel, Field
from support import opened

import destination as ht
from destination import registry
from destination.app import make_instance
from destination.deadline import Deadline
from destination.listen import listening
from destination.protocols import hightouch, rpc
from destination.schema import RESERVED
from destination.settings import Server
from destination.testing.clock import run_virtually
from destinations.sandbox.webhook import StandIn

CONFIG_ERROR, UNAVAILABLE_ERROR, INVALID_PARAMS = -32002, -32003, -32602

BARE = "/hightouch/bare"
STRICT = "/hightouch/strict"

TYPES = {"STRING", "ENUM", "NUMBER", "BOOLEAN", "DATE", "DATETIME", "EMAIL", "OBJECT", "ARRAY"}
TYPES |= {"REFERENCE", "UNKNOWN"}

IDENTIFIER = [{"from": "user_email", "to": "email"}]
NAMES = [{"from": "user_fn", "to": "first_name"}, {"from": "user_ln", "to": "last_name"}]
GOOD = {
    "object": "user",
    "mode": "upsert",
    "identifierMapping": IDENTIFIER,
    "mappings": NAMES,
    "customMappings": [{"from": "user_ltv", "to": "ltv"}],
    "archiveOnRemove": True,
}


@pytest.fixture
async def served(serve):
    """A server with one destination of each kind made for tests."""
    return await serve({kind: {"kind": kind} for kind in ("people", "bare", "strict")})


async def errors(served, configuration: Any, path: str = "/hightouch/people", **params: Any) -> Any:
    """What ``validate`` says."""
    given = {"configuration": configuration, **params}
    return (await served.result("validate", given, path=path))["errors"]


async def test_c1_the_objects_are_listed(served):
    """Objects come with id, label and, where there is one, a description."""
    assert await served.result("list_objects") == {
        "objects": [
            {"id": "user", "label": "User", "description": "A user."},
            {"id": "organization", "label": "Organization"},
        ]
    }


@pytest.mark.parametrize("params", [..., {}, None, []])
async def test_c2_a_destination_without_objects_lists_null(served, params):
    """No choice of objects is null, as in the vendor's examples."""
    assert await served.result("list_objects", params, path=BARE) == {"objects": None}


async def test_c3_ids_are_unique(served):
    """No list holds an id twice."""
    choice = {"object": "user", "mode": "mirror"}
    for name in ("objects", "modes", "fields"):
        listed = (await served.result(f"list_{name}", choice))[name]
        ids = [each["id"] for each in listed]

        assert len(ids) == len(set(ids)) > 0


async def test_c4_the_modes_of_an_object_are_listed(served):
    """Modes are those of the object that was chosen."""
    of_user = await served.result("list_modes", {"object": "user"})
    of_organization = await served.result("list_modes", {"object": "organization"})

    assert [mode["id"] for mode in of_user["modes"]] == ["upsert", "mirror", "insert"]
    assert of_user["modes"][0] == {
        "id": "upsert",
        "label": "Upsert",
        "description": "Adds and updates.",
    }
    assert [mode["id"] for mode in of_organization["modes"]] == ["upsert"]


@pytest.mark.parametrize("params", [..., {}, {"object": None}, []])
async def test_c5_modes_without_an_object(served, params):
    """Nothing is listed while one of several is to be chosen; one that is alone is meant."""
    assert await served.result("list_modes", params) == {"modes": None}
    alone = await served.result("list_modes", params, path=STRICT)
    assert [mode["id"] for mode in alone["modes"]] == ["upsert"]
    nameless = await served.result("list_modes", params, path=BARE)
    assert [mode["id"] for mode in nameless["modes"]] == ["send"]


@pytest.mark.parametrize("method", ["list_modes", "list_fields", "list_options"])
async def test_c6_an_unknown_object_is_an_error_that_names_the_closest(served, method):
    """An object that does not exist is a JSON-RPC error with the name that was probably meant."""
    error = (await served.rpc(method, {"object": "usr", "mode": "upsert"}))["error"]

    assert error["code"] == CONFIG_ERROR
    assert error["message"] == ('CONFIG_INVALID: Object "usr" does not exist. Did you mean "user"?')


async def test_c6_where_there_are_no_objects_any_is_fine(served):
    """A destination without objects has none that could be unknown."""
    listed = await served.result("list_modes", {"object": "whatever"}, path=BARE)

    assert listed["modes"][0]["id"] == "send"


async def test_c7_modes_are_null_when_there_are_none(serve, monkeypatch):
    """A destination that declares no mode lists null, and says so when it is asked for more."""

    class Modeless(ht.Destination[ht.NoOptions, ht.NoOptions]):
        kind = "modeless"

    class Point:
        name = "modeless"

        def load(self) -> type:
            return Modeless

    monkeypatch.setattr(registry, "_entry_points", lambda: [Point()])
    served = await serve({"modeless": {"kind": "modeless"}})
    path = "/hightouch/modeless"

    assert await served.result("list_modes", {}, path=path) == {"modes": None}
    for method in ("behavior", "add"):
        rows = {"idColumn": "id", "rows": [{"id": 1}], "configuration": {}}
        error = (await served.rpc(method, rows, path=path))["error"]
        assert error["code"] == CONFIG_ERROR
        assert "mode" in error["message"]
    [problem] = await errors(served, {}, path)
    assert "mode" in problem


async def test_c8_fields_are_listed_per_object_and_mode(served):
    """Fields are those of the chosen object, under the wire's names."""
    of_user = (await served.result("list_fields", {"object": "user", "mode": "upsert"}))["fields"]
    of_organization = await served.result("list_fields", {"object": "organization"})

    assert of_user[0] == {
        "id": "email",
        "label": "E-mail",
        "type": "EMAIL",
        "required": True,
        "identifier": True,
    }
    assert of_user[2] == {"id": "last_name", "label": "Last name", "type": "STRING"}
    assert [field["id"] for field in of_organization["fields"]] == ["email"]


@pytest.mark.parametrize("params", [..., {}, {"object": None, "mode": None}])
async def test_c9_fields_with_neither_object_nor_mode(served, params):
    """Nothing is listed while the object is open; where there is one object, its fields are."""
    assert await served.result("list_fields", params) == {"fields": None}
    assert await served.result("list_fields", params, path=BARE) == {"fields": None}
    alone = await served.result("list_fields", params, path=STRICT)
    assert [field["id"] for field in alone["fields"]][:2] == ["email", "first_name"]


async def test_c9_an_unknown_mode_of_fields_is_an_error(served):
    """A mode that does not exist is named, with the closest that does."""
    error = (await served.rpc("list_fields", {"object": "user", "mode": "upsrt"}))["error"]

    assert error["code"] == CONFIG_ERROR
    assert 'Mode "upsrt" does not exist. Did you mean "upsert"?' in error["message"]


async def test_c10_types_are_of_the_eleven(served):
    """Every field's type is one that the platform knows, in upper case."""
    served.plugin().extra_fields = [ht.Field(f"f_{each}", type=each) for each in ht.FieldType]

    listed = await served.result("list_fields", {"object": "user"})

    assert {field["type"] for field in listed["fields"]} == TYPES


async def test_c11_a_field_can_be_identifier_and_required(served):
    """A field that is both keeps both marks, and may be mapped in both places."""
    listed = await served.result("list_fields", {"object": "user"})
    both = [f["id"] for f in listed["fields"] if f.get("identifier") and f.get("required")]

    assert both == ["email"]
    assert await errors(served, GOOD | {"mappings": [*IDENTIFIER, *NAMES]}) == []


async def test_c12_where_there_are_fields_there_is_an_identifier(serve):
    """Each kind that lists fields marks at least one to match records by."""
    url = "http://127.0.0.1:9/rows"
    served = await serve(
        {
            "people": {"kind": "people"},
            "strict": {"kind": "strict"},
            "webhook": {"kind": "webhook", "url": url},
            "typed": {"kind": "webhook", "url": url, "fields": [{"id": "age", "type": "NUMBER"}]},
        }
    )

    for name, object in (("people", "user"), ("strict", None), ("webhook", None), ("typed", None)):
        path = f"/hightouch/{name}"
        listed = (await served.result("list_fields", {"object": object}, path=path))["fields"]
        assert any(field.get("identifier") for field in listed), name


async def test_c13_the_options_are_an_object(served):
    """The form's root is an object whose properties the platform spreads into configurations."""
    options = (await served.result("list_options", {"object": "user"}))["options"]

    assert options["schema"]["type"] == "object"
    assert list(options["schema"]["properties"]) == ["channel", "message", "archiveOnRemove"]
    jsonschema.Draft202012Validator.check_schema(options["schema"])


async def test_c13_a_required_option_is_marked(served):
    """The schema's ``required`` gives the form its starred option."""
    options = (await served.result("list_options", {"object": "user"}, path=STRICT))["options"]

    assert options["schema"]["required"] == ["audience"]
    assert options["schema"]["properties"]["audience"]["title"] == "Audience key"


async def test_c14_without_options_there_is_null(served):
    """A destination that has nothing to ask shows no form; so does an object not yet chosen."""
    assert await served.result("list_options", {}, path=BARE) == {"options": None}
    assert await served.result("list_options", {}) == {"options": None}


async def test_c15_no_option_takes_a_name_the_platform_uses(served):
    """Options stand beside the platform's own keys, and are called by none of them."""
    for path in ("/hightouch/people", STRICT):
        options = (await served.result("list_options", {"object": "user"}, path=path))["options"]
        assert not RESERVED & options["schema"]["properties"].keys()


class Named(BaseModel):
    """An option by a name that the platform uses."""

    mappings: list[str] = []


class Aliased(BaseModel):
    """An option that is shown by a name that the platform uses."""

    way: str = Field("", alias="mode")


@pytest.mark.parametrize("options", [Named, Aliased])
def test_c15_such_a_name_cannot_be_declared(options):
    """A kind whose options have a reserved name, or alias, cannot even be defined."""
    with pytest.raises(TypeError, match="reserves the option names"):

        class Taken(ht.Destination[ht.NoOptions, options]):
            kind = "taken"


async def test_c16_the_values_of_a_list_match_its_type(served):
    """Listed values are of the option's type, and each has a name to show."""
    options = (await served.result("list_options", {"object": "user"}))["options"]
    channel = options["schema"]["properties"]["channel"]

    assert channel["type"] == "string"
    assert channel["enum"] == ["general", "dev"]
    assert channel["enumNames"] == ["#general", "#dev"]
    assert channel["default"] in channel["enum"]


async def test_c17_the_form_s_hints_are_for_its_own_options(served):
    """Every key of the uiSchema is a property of the schema."""
    options = (await served.result("list_options", {"object": "user"}))["options"]

    assert options["uiSchema"]["message"] == {"ui:widget": "textarea"}
    assert options["uiSchema"].keys() <= options["schema"]["properties"].keys()


async def test_c18_a_repeated_call_sees_what_changed(served):
    """Fields are asked of the vendor anew each time the form is reloaded."""
    choice = {"object": "user", "mode": "upsert"}
    before = await served.result("list_fields", choice)
    served.plugin().extra_fields = [ht.Field("shoe_size", "Shoe size", ht.FieldType.NUMBER)]

    after = await served.result("list_fields", choice)

    assert after["fields"] == [
        *before["fields"],
        {"id": "shoe_size", "label": "Shoe size", "type": "NUMBER"},
    ]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            ht.UnavailableError("not sent: could not connect to the vendor"),
            UNAVAILABLE_ERROR,
            "CONNECT_FAILED: not sent: could not connect to the vendor",
        ),
        (ht.AuthError("the token has expired"), -32001, "AUTH_FAILED: the token has expired"),
        (ht.ConfigError("no such account"), CONFIG_ERROR, "CONFIG_INVALID: no such account"),
    ],
)
async def test_c19_a_vendor_s_failure_is_told(served, error, code, message):
    """A form that cannot be made is a JSON-RPC error that a person can read, with HTTP 200."""
    served.plugin().error = error

    for params in ({"object": "user"}, {"configuration": GOOD}):
        method = "validate" if "configuration" in params else "list_fields"
        answer = await served.rpc(method, params)
        assert answer["error"]["code"] == code
        assert answer["error"]["message"] == message


async def test_c19_a_bug_is_told_by_reference_only(served):
    """What a broken destination raises is not shown: only a reference is."""
    served.plugin().error = KeyError("the secret is hunter2")

    error = (await served.rpc("list_fields", {"object": "user"}))["error"]

    assert error["code"] == -32603
    assert "ref " in error["message"]
    assert "hunter2" not in str(error)


@pytest.mark.usefixtures("kinds_for_tests")
def test_c19_a_vendor_that_hangs_is_told_within_five_seconds():
    """A person who waits for the form waits five seconds at most."""

    async def scenario() -> tuple[Any, float]:
        instance = make_instance("people", {"kind": "people"}, Server())

        async def hang(object: ht.Object, mode: str | None) -> list[ht.Field]:
            await asyncio.sleep(3600)
            return []

        instance.plugin.fields = hang
        request = {"jsonrpc": "2.0", "id": 1, "method": "list_fields", "params": {"object": "user"}}
        async with opened(instance):
            call = rpc.Call(instance, Deadline(25), rows_left=10)
            body = await rpc.answer(hightouch.METHODS, msgspec.json.encode(request), call)
        return msgspec.json.decode(body), asyncio.get_running_loop().time()

    answer, seconds = run_virtually(scenario())

    assert answer["error"] == {
        "code": UNAVAILABLE_ERROR,
        "message": "The vendor did not answer in time.",
    }
    assert seconds == 5


async def test_c20_a_good_configuration_has_no_errors(served):
    """The documentation's own configuration is fine."""
    assert await errors(served, GOOD) == []
    assert await errors(served, {}, BARE) == []


async def test_c21_a_required_field_that_is_not_mapped_is_named(served):
    """A required field without a column is named as the form shows it."""
    assert await errors(served, GOOD | {"mappings": []}) == [
        'Field "First name" is required: map a column to it.'
    ]
    assert await errors(served, GOOD | {"identifierMapping": []}) == [
        'Field "E-mail" is required: map a column to it.'
    ]


async def test_c22_a_required_option_that_is_missing_is_named(served):
    """A required option is named by its title."""
    configuration = {"object": "user", "identifierMapping": IDENTIFIER, "mappings": NAMES}

    assert await errors(served, configuration, STRICT) == ['Option "Audience key" is required.']
    assert await errors(served, configuration | {"audience": "vip"}, STRICT) == []


async def test_c22_options_are_read_under_options_too(served):
    """Option values stand beside the mappings, or under ``options``; the former win."""
    base = {"object": "user", "identifierMapping": IDENTIFIER, "mappings": NAMES}

    assert await errors(served, base | {"options": {"audience": "vip"}}, STRICT) == []
    assert await errors(served, GOOD | {"options": {"channel": "nowhere"}, "channel": "dev"}) == []


async def test_c22_a_wrong_option_is_named(served):
    """A value that is not in the list, or of another type, or no template, is named."""
    assert await errors(served, GOOD | {"channel": "nowhere"}) == [
        'Option "Channel" has a value that is not in its list.'
    ]
    [problem] = await errors(served, GOOD | {"archiveOnRemove": "perhaps"})
    assert "must be true or false" in problem
    [problem] = await errors(served, GOOD | {"message": "line one\n{% nope %}"})
    assert "message" in problem
    assert "line" in problem


async def test_c23_an_unknown_field_is_named_where_the_list_is_closed(served):
    """A target that is no field is an error, with the closest name, unless any name will do."""
    extra = [{"from": "user_x", "to": "frist_name"}]
    strict = {"object": "user", "identifierMapping": IDENTIFIER, "audience": "vip"}

    assert await errors(served, strict | {"mappings": NAMES + extra}, STRICT) == [
        'Field "frist_name" does not exist. Did you mean "first_name"?'
    ]
    assert await errors(served, GOOD | {"customMappings": extra}) == []


async def test_c24_two_columns_for_one_field_are_told(served):
    """A field that two columns are mapped to is named with both."""
    twice = [*NAMES, {"from": "nickname", "to": "first_name"}]

    assert await errors(served, GOOD | {"mappings": twice}) == [
        'Field "first_name" is mapped twice, from column "user_fn" and from column "nickname". '
        "Keep one of them."
    ]


async def test_c24_the_same_column_twice_is_fine(served):
    """Equal duplicates say nothing that could be misunderstood."""
    assert await errors(served, GOOD | {"customMappings": [*NAMES, *IDENTIFIER]}) == []


async def test_c25_an_unknown_object_or_mode_is_named(served):
    """A configuration's object or mode that does not exist is named with the closest."""
    assert await errors(served, GOOD | {"mode": "upsrt"}) == [
        'Mode "upsrt" does not exist. Did you mean "upsert"?'
    ]
    assert await errors(served, GOOD | {"object": "usr"}) == [
        'Object "usr" does not exist. Did you mean "user"?'
    ]


async def test_c25_a_column_that_is_gone_is_named_where_columns_are_known(served):
    """Columns of the model, when the caller tells them, are compared with the mapping."""
    columns = ["user_email", "user_firstname", "user_ln", "user_ltv"]

    assert await errors(served, GOOD, columns=columns) == [
        'Column "user_fn" does not exist. Did you mean "user_ln"? It is mapped to "first_name".'
    ]


async def test_c25_a_destination_adds_its_own_checks(served):
    """The documentation's example of an error comes from the destination itself."""
    assert await errors(served, GOOD | {"mappings": NAMES[:1]}) == [
        "If first name is mapped, last name must also be mapped."
    ]


async def test_c26_validate_never_writes(serve):
    """Validating and reading the form sends nothing to the vendor."""
    stand_in = StandIn(token="t" * 20)
    async with listening(stand_in.app(), "127.0.0.1", 0, grace=1) as url:
        served = await serve({"people": {"kind": "people"}, "hook": stand_in.settings(url)})
        for path in ("/hightouch/people", "/hightouch/hook"):
            for configuration in (GOOD, GOOD | {"object": None}, {}):
                await served.rpc("validate", {"configuration": configuration}, path=path)
                await served.rpc("behavior", {"configuration": configuration}, path=path)
            for method in ("list_objects", "list_modes", "list_fields", "list_options"):
                await served.rpc(method, {"object": "user"}, path=path)
        headers = {"Authorization": f"Bearer {stand_in.token}"}
        async with served.http.get(f"{url}/_sandbox/requests", headers=headers) as answer:
            requests = (await answer.json())["requests"]

    assert requests == 0
    assert served.plugin().batches == []
    assert served.plugin().holds == {}


@pytest.mark.parametrize("params", [..., None, [], {}, {"configuration": None}])
async def test_c27_a_missing_configuration_is_told(served, params):
    """Without a configuration there are sentences, not a crash."""
    assert (await served.result("validate", params))["errors"] == [
        "Choose an object: user, organization."
    ]


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"object": "user"},
        {"object": 5},
        {"object": ""},
        {"object": "user", "mode": ["upsert"]},
        {"object": "user", "mappings": None, "identifierMapping": None, "customMappings": None},
        {"object": "user", "mappings": "first_name"},
        {"object": "user", "mappings": 5},
        {"object": "user", "mappings": True},
        {"object": "user", "mappings": [None]},
        {"object": "user", "mappings": [[]]},
        {"object": "user", "mappings": [{}]},
        {"object": "user", "mappings": [{"from": "a"}]},
        {"object": "user", "mappings": [{"to": "first_name"}]},
        {"object": "user", "mappings": [{"from": None, "to": "first_name"}]},
        {"object": "user", "mappings": [{"from": "a", "to": ["first_name"]}]},
        {"object": "user", "mappings": [{"from": {"x": 1}, "to": "first_name"}]},
        {"object": "user", "mappings": [{"from": "a", "to": "first_name", "type": 7}]},
        {"object": "user", "mappings": [{"to": "first_name", "type": "template"}]},
        {"object": "user", "mappings": [{"to": "f", "type": "template", "template": "{{ a"}]},
        {"object": "user", "mappings": [{"to": "f", "type": "variable", "variable": "sync-id"}]},
        {"object": "user", "mappings": [{"to": "..", "from": "a"}]},
        {"object": "user", "options": 7, "channel": {"deep": [1]}},
        {"object": "user", "message": 3, "archiveOnRemove": "x"},
        {"object": "user", "identifierMapping": {"from": "user_email"}},
    ],
)
async def test_c27_a_partial_configuration_is_told(served, configuration):
    """Whatever is missing or odd, each problem is a sentence that a person can read."""
    problems = await errors(served, configuration)

    assert problems
    for problem in problems:
        assert isinstance(problem, str)
        assert len(problem.split()) > 3
        assert "\n" not in problem


@pytest.mark.parametrize("configuration", ["text", 5, [], True])
async def test_c27_a_configuration_that_is_no_object_is_refused(served, configuration):
    """A configuration of another type is an error of the params, not of the server."""
    error = (await served.rpc("validate", {"configuration": configuration}))["error"]

    assert error["code"] == INVALID_PARAMS
    assert "configuration" in error["message"]


async def test_c27_a_configuration_that_is_too_deep_is_told(served):
    """Nesting that no form produces is a sentence, too."""
    deep: Any = 1
    for _ in range(100):
        deep = [deep]

    assert await errors(served, {"object": "user", "channel": deep}) == [
        "The configuration is nested more than 64 deep."
    ]
