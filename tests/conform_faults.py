"""A fault for each conformance case, which it must notice."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from aiohttp import web
from conforming import SECOND, Fault

from destination.cli.conform.form import NOWHERE

RESULT = b'{"jsonrpc":"2.0","id":"1","result":{"rejectedRows":[]}}'


def page(status: int, body: bytes = b"no", **headers: str) -> web.Response:
    return web.Response(status=status, body=body, headers=headers, content_type="text/plain")


def reply(document: Any) -> web.Response:
    return web.Response(text=json.dumps(document), content_type="application/json")


def parsed(body: bytes | None) -> Any:
    try:
        return json.loads(body or b"")
    except ValueError:
        return None


def lenient(request: web.Request, body: bytes, answer: bytes | None) -> None:
    """Whatever the request looks like, it is carried out."""


def http(status: int, wrong: Callable[[web.Request, bytes], Any]) -> Fault:
    """A status of HTTP for some requests."""
    return lambda request, body, _: page(status) if wrong(request, body) else None


def envelope(wrong: Callable[[Any], Any], then: Callable[[Any, Any], Any]) -> Fault:
    """Another answer to some documents, made of the document and of the right answer."""

    def fault(_: web.Request, body: bytes, answer: bytes | None) -> web.Response | None:
        document = parsed(body)
        if not wrong(document):
            return None
        made = then(document, parsed(answer))
        return made if isinstance(made, web.Response) else reply(made)

    return fault


def has_id(wrong: Callable[[Any], bool], then: Callable[[Any], Any]) -> Fault:
    """Another id in the answers to some."""
    return envelope(
        lambda call: isinstance(call, dict) and "id" in call and wrong(call["id"]),
        lambda call, answer: answer | {"id": then(call["id"])},
    )


def refusing(code: int, wrong: Callable[[Any], Any]) -> Fault:
    """An error to some calls."""
    return envelope(wrong, lambda call, _: an_error(code, call.get("id")))


def an_error(code: int, id: Any = None, **data: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "No.", **data}}


def params(call: Any) -> dict[str, Any]:
    found = call.get("params") if isinstance(call, dict) else None
    return found if isinstance(found, dict) else {}


def sync(call: Any) -> dict[str, Any]:
    return params(call).get("configuration") or {}


def rows(call: Any) -> list[Any]:
    found = params(call).get("rows")
    return found if isinstance(found, list) else []


def results_of(method: str, then: Callable[[Any, Any], Any]) -> Fault:
    """Another result of a method, made of the right one and of the call."""
    return envelope(
        lambda call: isinstance(call, dict) and call.get("method") == method,
        lambda call, answer: (
            answer | {"result": then(answer["result"], call)} if "result" in answer else answer
        ),
    )


def crash(method: str, wrong: Callable[[Any], Any]) -> Fault:
    """-32603 to some calls of a method."""
    return refusing(
        -32603, lambda call: isinstance(call, dict) and call.get("method") == method and wrong(call)
    )


def nth(method: str, number: int) -> Fault:
    """-32603 to a method from its nth call on."""
    calls: Iterator[int] = count(1)
    return crash(method, lambda _: next(calls) >= number)


def rejecting(then: Callable[[list[Any]], list[Any]]) -> Fault:
    """Another list of rejected rows, wherever there is one."""
    return results_of(
        "add",
        lambda result, _: (
            {"rejectedRows": then(result["rejectedRows"])} if result["rejectedRows"] else result
        ),
    )


def ids(then: Callable[[Any], Any]) -> Fault:
    """Other ids of rejected rows."""
    return rejecting(lambda rejected: [each | {"id": then(each["id"])} for each in rejected])


def fields(**changed: Any) -> Fault:
    """Fields that are marked otherwise."""
    return results_of(
        "list_fields",
        lambda result, _: {"fields": [field | changed for field in result["fields"] or ()]},
    )


def options(**changed: Any) -> Fault:
    """A schema of which some is changed."""
    return results_of(
        "list_options",
        lambda result, _: (
            {"options": result["options"] | {"schema": result["options"]["schema"] | changed}}
            if result["options"]
            else result
        ),
    )


def silent(wrong: Callable[[Any], Any] = lambda _: True) -> Fault:
    """``validate`` has nothing to say of some configurations."""
    return results_of("validate", lambda result, call: {"errors": []} if wrong(call) else result)


def both(*faults: Fault) -> Fault:
    """The first of several faults that has something to say."""

    def fault(request: web.Request, body: bytes, answer: bytes | None) -> web.Response | None:
        answers = (each(request, body, answer) for each in faults)
        return next((each for each in answers if each is not None), None)

    return fault


def kind(request: web.Request) -> str:
    return request.headers.get("Content-Type", "")


ACCEPTED = {"jsonrpc": "2.0", "id": "1", "result": {}}

FAULTS: dict[str, Fault] = {
    "T1": lambda _, __, answer: web.Response(body=answer, content_type="text/plain"),
    "T2": http(415, lambda request, _: "charset" in kind(request)),
    "T3": http(415, lambda request, _: "json-rpc" in kind(request)),
    "T4": http(415, lambda request, _: not kind(request)),
    "T5": lenient,
    "T6": lenient,
    "T7": http(404, lambda request, _: request.path.endswith("/")),
    "T8": lenient,
    "T9": lenient,
    "T10": http(413, lambda _, body: len(body) > 2**20),
    "T11": http(415, lambda request, _: "Content-Encoding" in request.headers),
    "T12": lambda _, __, ___: page(200, RESULT),
    "T13": lenient,
    "T14": lambda _, __, ___: page(200, RESULT),
    "T15": lenient,
    "T16": http(400, lambda _, body: body.startswith(b"\xef\xbb\xbf")),
    "T17": http(411, lambda request, _: "Transfer-Encoding" in request.headers),
    "T18": lenient,
    "T19": lenient,
    "T20": http(401, lambda request, _: "Authorization" not in request.headers),
    "T21": http(401, lambda request, _: "Authorization" not in request.headers),
    "T23": http(401, lambda request, _: SECOND in request.headers.get("Authorization", "")),
    "T24": http(404, lambda request, _: request.path == "/healthz"),
    "T25": nth("add", 3),
    "E1": has_id(lambda one: isinstance(one, str), str.upper),
    "E2": has_id(lambda one: one == 0, lambda _: None),
    "E3": has_id(lambda one: one == "", lambda _: None),
    "E4": has_id(lambda one: one == 1.5, lambda _: 1),
    "E5": has_id(lambda one: isinstance(one, int), float),
    "E6": has_id(lambda one: isinstance(one, str), str.swapcase),
    "E7": envelope(lambda call: call.get("id", 1) is None, lambda _, __: page(204, b"")),
    "E8": envelope(lambda call: "id" not in call, lambda _, __: reply(ACCEPTED)),
    "E9": envelope(lambda _: True, lambda _, __: ACCEPTED | {"id": None}),
    "E10": envelope(lambda call: "jsonrpc" not in call, lambda _, __: ACCEPTED),
    "E11": envelope(lambda call: call.get("jsonrpc") == 2.0, lambda _, __: ACCEPTED),
    "E12": envelope(lambda call: call["method"] == {}, lambda _, __: page(500)),
    "E13": envelope(lambda call: call["method"] == "list_object", lambda _, __: page(404)),
    "E14": envelope(lambda call: call["method"] == "toString", lambda _, __: ACCEPTED),
    "E15": refusing(-32602, lambda call: "params" not in call),
    "E16": refusing(-32602, lambda call: call["params"] == [{}]),
    "E17": refusing(-32603, lambda call: call["params"] == 3),
    "E18": refusing(-32602, lambda call: "conform" in call["params"]),
    "E19": refusing(-32600, lambda call: "meta" in call),
    "E20": http(400, lambda _, body: parsed(body) is None),
    "E21": http(400, lambda _, body: not body),
    "E22": envelope(lambda call: not isinstance(call, dict), lambda _, __: an_error(-32700)),
    "E23": envelope(lambda call: call == [], lambda _, __: []),
    "E24": envelope(lambda call: call == [1, 2], lambda _, __: an_error(-32600)),
    "E25": envelope(lambda call: isinstance(call, list), lambda _, __: [an_error(-32600)]),
    "E26": envelope(lambda call: isinstance(call, list), lambda _, __: []),
    "E27": envelope(lambda call: isinstance(call, list), lambda _, __: [ACCEPTED]),
    "E28": envelope(lambda call: isinstance(call, list), lambda _, __: [ACCEPTED] * 1_000),
    "E29": envelope(lambda call: True, lambda _, answer: answer | {"result": 1, "error": None}),
    "E30": envelope(
        lambda _: True,
        lambda _, __: an_error(-32603, "1", data="TypeError: Cannot read properties of undefined"),
    ),
    "E31": http(500, lambda _, body: body.count(b"[") > 1_000),
    "E32": envelope(lambda call: "x" in params(call), lambda _, __: ACCEPTED),
    "E33": lambda _, body, __: (
        page(200, b'{"jsonrpc":"2.0","id":NaN}') if b"no_such_method" in body else None
    ),
    "E34": refusing(-32603, lambda call: "self" in params(call)),
    "C1": results_of("list_objects", lambda _, __: {"objects": [{"name": "user"}]}),
    "C2": results_of("list_objects", lambda _, __: {}),
    "C3": results_of("list_objects", lambda result, _: {"objects": result["objects"] * 2}),
    "C4": results_of("list_modes", lambda _, __: {"modes": [{"id": 1, "label": "One"}]}),
    "C5": crash("list_modes", lambda call: not params(call)),
    "C6": envelope(lambda call: params(call).get("object") == NOWHERE, lambda _, __: ACCEPTED),
    "C7": results_of("list_modes", lambda _, __: {"modes": "none"}),
    "C8": results_of("list_fields", lambda _, __: {"fields": [{"id": "email"}]}),
    "C9": crash("list_fields", lambda call: not params(call)),
    "C10": fields(type="string"),
    "C11": fields(required="false"),
    "C12": fields(identifier=False),
    "C13": options(type="array"),
    "C14": results_of("list_options", lambda _, __: {"options": {}}),
    "C15": options(properties={"mode": {"type": "string"}}),
    "C16": options(properties={"channel": {"type": "string", "enum": [1, 2]}}),
    "C17": options(properties={}),
    "C20": results_of("validate", lambda _, __: {"errors": ["Something is wrong."]}),
    "C21": silent(),
    "C22": both(options(required=["channel"]), silent()),
    "C23": results_of(
        "validate",
        lambda _, call: {"errors": ["Odd."] if NOWHERE in json.dumps(call) else []},
    ),
    "C24": silent(),
    "C25": silent(),
    "C27": crash("validate", lambda call: "configuration" in params(call) and not sync(call)),
    "S1": refusing(-32602, lambda call: not params(call)),
    "S2": refusing(-32602, lambda call: "configuration" in params(call)),
    "S3": results_of("behavior", lambda result, _: result | {"skipInitialRun": None}),
    "S4": results_of(
        "add", lambda _, call: {"rejectedRows": [{"id": rows(call)[0]["id"], "reason": "No."}]}
    ),
    "S5": crash("add", lambda call: isinstance(sync(call)["identifierMapping"], dict)),
    "S6": crash("add", lambda call: isinstance(sync(call)["identifierMapping"], list)),
    "S7": crash("add", lambda call: sync(call)["identifierMapping"] is None),
    "S8": crash("add", lambda call: "identifierMapping" not in sync(call)),
    "S9": crash("add", lambda call: sync(call).get("customMappings", 1) is None),
    "S10": crash("add", lambda call: any("from" not in each for each in sync(call)["mappings"])),
    "S11": envelope(
        lambda call: call["method"] == "add",
        lambda _, answer: (
            an_error(-32000, "1") if (answer.get("result") or {}).get("rejectedRows") else answer
        ),
    ),
    "S12": ids(str),
    "S13": ids(lambda one: float(one) if isinstance(one, int) else one),
    "S14": ids(lambda one: one.strip() if isinstance(one, str) else one),
    "S15": ids(lambda _: "p-99"),
    "S16": rejecting(lambda rejected: rejected * 2),
    "S17": crash("add", lambda call: not rows(call)),
    "S19": crash("add", lambda call: any(row.get("last_name", 1) is None for row in rows(call))),
    "S20": crash("add", lambda call: any("last_name" not in row for row in rows(call))),
    "S21": crash("add", lambda call: any(row["id"] is None for row in rows(call))),
    "S22": crash("add", lambda call: any("toString" in row for row in rows(call))),
    "S23": crash("add", lambda call: any("conform_number" in row for row in rows(call))),
    "S24": nth("add", 3),
    "S25": crash(
        "add", lambda call: [row["last_name"] for row in rows(call)] == ["Hopper"]
    ),
    "S26": crash("change", lambda _: True),
    "S27": crash("remove", lambda call: rows(call)[0]["id"].startswith("destination-conform.")),
    "S28": nth("remove", 2),
    "S29": envelope(
        lambda call: call["method"] in ("add", "change", "remove"),
        lambda _, __: json.loads(RESULT),
    ),
    "S34": crash("add", lambda call: len(rows(call)) == 1),
    "S35": ids(lambda one: "conform-call-0" if one.startswith("conform-call-") else one),
    "S37": rejecting(
        lambda rejected: [each | {"reason": f"No: {each['id']}"} for each in rejected]
    ),
    "S38": crash("add", lambda call: "idColumn" not in params(call)),
    "S39": envelope(
        lambda call: call["method"] == "add" and sync(call)["object"] == NOWHERE,
        lambda _, __: json.loads(RESULT),
    ),
}  # fmt: skip
"""Case → a fault that it must notice."""
