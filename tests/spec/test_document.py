"""A spec file's mistakes are told before a row is sent: each where it is, and what was expected."""

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from destination.model import Limits, Mode, Rate
from destination.problems import explained
from destination.spec.document import Document

SAVE, PERSON = "requests.save", "objects.0"

ACME: dict[str, Any] = {
    "name": "acme",
    "base_url": "https://{{ settings.region }}.api.acme.example/v1",
    "settings": {
        "required": ["token"],
        "properties": {
            "token": {"type": "string", "writeOnly": True},
            "region": {"enum": ["eu", "us"], "default": "eu"},
        },
    },
    "options": {"required": ["list"], "properties": {"list": {"title": "List"}}},
    "auth": {"scheme": "bearer", "token": "{{ settings.token }}"},
    "objects": [
        {
            "id": "person",
            "modes": [{"id": "mirror", "add": "save", "change": "save", "remove": "forget"}],
            "fields": [
                {"id": "email", "type": "EMAIL", "identifier": True, "required": True},
                {"id": "ltv", "type": "NUMBER"},
            ],
        }
    ],
    "requests": {
        "save": {
            "url": "/lists/{{ options.list }}/people",
            "batching": "array",
            "wrapper": "people",
            "template": {"address": "{{ email }}", "value": "{{ ltv }}"},
            "answer": {"rows": {"at": "/errors", "id": "/address", "field": "email"}},
        },
        "forget": {"method": "DELETE", "url": "/people/{{ email }}", "payload": "none"},
    },
}
LEFT_OUT: Any = object()


def changed(place: str, value: Any) -> dict[str, Any]:
    """The document with another value at a dotted place, or with none."""
    content: Any = copy.deepcopy(ACME)
    at = content
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    for part in path:
        at = at[part]
    if value is LEFT_OUT:
        del at[last]
    else:
        at[last] = value
    return dict(content)


def problems(content: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Document.model_validate(content)
    return explained(caught.value, Document)


ONLY_SETTINGS = "names options, but only settings are known there"
SHARED = "rows of an array share nothing but event_id, object, operation, options, settings"


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("name", LEFT_OUT, "name: is missing"),
        ("nmae", "x", 'nmae: Setting "nmae" does not exist. Did you mean "name"?'),
        (
            "name",
            "Acme CRM",
            "name: must be small letters, digits and underscores, beginning with a letter",
        ),
        ("base_url", "{{ options.list }}", f"base_url: {ONLY_SETTINGS}"),
        ("base_url", "{{ settings.region", "base_url: line 1, column 1: '{{' without '}}'"),
        (
            "base_url",
            "https://{{ settings.zone }}.acme.example",
            'base_url: Setting "zone" does not exist. There is: token, region.',
        ),
        (
            "base_url",
            "acme.example",
            "base_url: must be a valid URL, relative URL without a base",
        ),
        (
            "base_url",
            "https://a:b@acme.example",
            "base_url: credentials belong into auth, not into the address",
        ),
        (
            "settings.properties.rate",
            {"type": "number"},
            "settings.rate: every destination has a setting of this name",
        ),
        ("options.properties.mode", {}, "options.mode: the platform reserves this name"),
        (
            "options.properties.list.writeOnly",
            True,
            "options.list: a secret is the operator's, so it belongs into settings",
        ),
        ("auth", {"token": "t"}, "auth: 'scheme' is missing"),
        (
            "signing",
            {"scheme": "md5"},
            "signing: 'scheme' must be 'hmac', 'standard_webhooks'",
        ),
        ("auth.token", LEFT_OUT, "auth.bearer.token: is missing"),
        (
            "auth.tokn",
            "t",
            'auth.bearer.tokn: Setting "tokn" does not exist. Did you mean "token"?',
        ),
        (
            "auth.token",
            "{{ settings.tokn }}",
            'auth: Setting "tokn" does not exist. Did you mean "token"?',
        ),
        ("auth.token", "{{ options.list }}", f"auth: {ONLY_SETTINGS}"),
        ("auth.token", "{{ settings.token", "auth: line 1, column 1: '{{' without '}}'"),
        ("auth", "bearer", "auth: must be a table"),
        ("objects", [], "objects: there must be one"),
        ("objects", {}, "objects: must be a list"),
        (f"{PERSON}.modes", [], "objects.0.modes: there must be one"),
        (
            f"{PERSON}.modes.0",
            {"id": "mirror"},
            "objects.0.modes.0: names no request to add, change or remove rows by",
        ),
        (
            f"{PERSON}.modes.0.add",
            "sav",
            'objects: Request "sav" does not exist. Did you mean "save"?',
        ),
        (
            f"{PERSON}.modes.0.delete",
            "forget",
            'objects.0.modes.0.delete: Setting "delete" does not exist. '
            "There is: id, label, description, add, change, remove, skip_initial_run.",
        ),
        (
            f"{PERSON}.modes",
            [{"id": "a", "add": "save", "remove": "forget"}, {"id": "a", "add": "save"}],
            "objects.person.modes: a is declared twice",
        ),
        (
            f"{PERSON}.fields.1.type",
            "NUMERIC",
            "objects.0.fields.1.type: must be 'STRING', 'ENUM', 'NUMBER', 'BOOLEAN', "
            "'DATE', 'DATETIME', 'EMAIL', 'OBJECT', 'ARRAY', 'REFERENCE' or 'UNKNOWN'",
        ),
        (
            f"{PERSON}.fields.1.type",
            "ENUM",
            "objects.0.fields.1: choices are the values of an ENUM, which has some",
        ),
        (
            f"{PERSON}.fields.1.id",
            "ltv.",
            r"objects.0.fields.1.id: must be names with a dot between each two",
        ),
        ("requests", {}, "requests: there must be one"),
        ("requests.more", {"url": "/x"}, "requests.more: no mode names it"),
        (f"{SAVE}.url", LEFT_OUT, "requests.save.url: is missing"),
        (
            f"{SAVE}.method",
            "GET",
            "requests.save.method: must be 'POST', 'PUT', 'PATCH' or 'DELETE'",
        ),
        (f"{SAVE}.url", "/{{ email }}", f"requests.save.url: names email: {SHARED}"),
        (
            f"{SAVE}.url",
            "/lists/{{ options.lst }}",
            'requests.save: Option "lst" does not exist. Did you mean "list"?',
        ),
        (
            f"{SAVE}.template.address",
            "{{ emial }}",
            'requests.save: Field "emial" does not exist. Did you mean "email"?',
        ),
        (
            f"{SAVE}.template.address",
            "{{ fields.emial }}",
            'requests.save: Field "emial" does not exist. Did you mean "email"?',
        ),
        (
            f"{SAVE}.template.address",
            "{{ email | upcas }}",
            "requests.save.template: /address: line 1, column 12: unknown filter 'upcas'",
        ),
        (f"{SAVE}.batching", "none", 'requests.save.wrapper: needs batching = "array"'),
        (
            f"{SAVE}.answer.rows.field",
            "emial",
            'requests.save.answer.rows.field: Field "emial" does not exist. Did you mean "email"?',
        ),
        (
            f"{SAVE}.answer.rows.id",
            "address",
            "requests.save.answer.rows.id: is no JSON Pointer such as /errors/0: "
            "Location must start with /",
        ),
        (
            f"{SAVE}.answer.statuses",
            {"404": "gone"},
            "requests.save.answer.statuses.404: must be 'delivered', 'refused', 'retry', "
            "'unknown', 'target', 'auth' or 'config'",
        ),
        (
            f"{SAVE}.answer.codes",
            {"17": "config"},
            "requests.save.answer: code says where an answer has what codes lists: both or none",
        ),
        ("limits", {"rat": 1}, 'limits.rat: Setting "rat" does not exist. Did you mean "rate"?'),
        ("limits", {"burst": 2}, "limits: burst is within a rate, and there is none"),
        ("check", {"url": "/{{ options.list }}"}, f"check.url: {ONLY_SETTINGS}"),
        ("filter", "ltv = 1", "filter: line 1, column 5: expected end of expression, found '='"),
        ("filter", "lvt > 1", 'filter: Field "lvt" does not exist. Did you mean "ltv"?'),
        ("consent", "ads", "consent: must be a list"),
        (
            "consent",
            ["ads"],
            'consent_at: Field "context" does not exist. There is: email, ltv.',
        ),
        ("tests", [{"name": "x"}], "tests.0.records: is missing"),
        (
            "tests",
            [{"name": "x", "records": [{"id": [1]}]}],
            "tests.0.records.0: id is text or a number",
        ),
        (
            "tests",
            [{"name": "x", "records": [], "operation": "delete"}],
            "tests.0.operation: must be 'add', 'change' or 'remove'",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is(place: str, value: Any, told: str) -> None:
    """One mistake is one line, with the path in the file and what was expected there."""
    assert problems(changed(place, value)) == [told]


def test_the_document_itself_is_good() -> None:
    """What the mistakes are made in has none."""
    document = Document.model_validate(ACME)

    assert document.modes == (Mode("mirror", "", "save", "save", "forget"),)
    assert document.limits.limits() == Limits()


def test_several_mistakes_are_told_at_once() -> None:
    """So that nobody has to mend them one after another."""
    content = changed(f"{SAVE}.template.address", "{{ emial }}")
    content["check"] = {"url": "/{{ settings.tokn }}"}

    assert problems(content) == [
        'requests.save: Field "emial" does not exist. Did you mean "email"?',
        'check.url: Setting "tokn" does not exist. Did you mean "token"?',
    ]


def test_rows_that_are_grouped_need_a_place() -> None:
    """A request that would send the first row of a group only is a mistake."""
    assert problems(changed("group_by", "email")) == [
        "requests.save: rows are grouped, so a template must name records",
        "requests.forget: rows are grouped, so a template must name records",
    ]


def test_any_field_may_be_named_where_others_can_be_mapped() -> None:
    """With custom fields nobody knows before there is a sync which there are."""
    content = changed(f"{SAVE}.template.address", "{{ emial }}")
    content["objects"][0]["custom_fields"] = True

    assert Document.model_validate(content).objects[0].custom_fields


def test_fields_are_those_of_the_object_whose_mode_names_the_request() -> None:
    """A field of another object is none here."""
    content = changed("requests.save.template", {"address": "{{ subject }}"})
    ticket = {
        "id": "ticket",
        "modes": [{"id": "open", "add": "open"}],
        "fields": [{"id": "subject"}],
    }
    content["objects"].append(ticket)
    content["requests"]["open"] = {"url": "/tickets", "template": {"subject": "{{ subject }}"}}

    assert problems(content) == [
        'requests.save: Field "subject" does not exist. There is: email, ltv.'
    ]


@pytest.mark.parametrize("ids", [(None, "b"), ("a", "a"), (None, None)])
def test_several_objects_have_ids(ids: tuple[Any, Any]) -> None:
    """Otherwise a sync could not choose one."""
    content = copy.deepcopy(ACME)
    content["objects"] = [{**ACME["objects"][0], "id": id} for id in ids]

    assert problems(content) == ["objects: of several objects each needs an id of its own"]


def test_a_template_may_stand_where_only_settings_show_what_is_right() -> None:
    """What a setting brings is checked when there is one: an address, a list of secrets."""
    content = changed(
        "auth",
        {
            "scheme": "oauth2_client_credentials",
            "token_url": "https://{{ settings.region }}.acme.example/token",
            "client_id": "{{ settings.region }}",
            "client_secret": "{{ settings.token }}",
        },
    )
    content["signing"] = {"scheme": "standard_webhooks", "secrets": ["{{ settings.token }}"]}

    assert Document.model_validate(content).signing == content["signing"]


def test_limits_are_of_the_whole_vendor() -> None:
    """A rate brings its burst, by default a tenth."""
    limits = {
        "rate": 50,
        "concurrency": 3,
        "latency": 0.2,
        "timeout": 5,
        "attempts": 2,
        "remember": 0,
    }
    document = Document.model_validate({**ACME, "limits": limits})

    assert document.limits.limits() == Limits(
        rate=Rate(50, 5), concurrency=3, latency=0.2, timeout=5, attempts=2, remember=0
    )
