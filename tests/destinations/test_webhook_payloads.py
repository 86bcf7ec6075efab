"""What a webhook sends of a row: the record, the canonical event, or what a template makes."""

import json
from typing import Any

import pytest
from webhooks import HOOK, person, reasons, receiver, sync

TEMPLATE = (
    '{ "event_type": "{{event}}", "user": "{{user_id}}", "data": '
    '{ "page": "{{context.page.url}}", "revenue": {{properties.total}} } }'
)
MAPPINGS = [
    {"from": "what", "to": "event"},
    {"from": "who", "to": "user_id"},
    {"from": "page", "to": "context.page.url"},
    {"from": "total", "to": "properties.total"},
]


def order(id: Any, **columns: Any) -> dict[str, Any]:
    """A row of an order."""
    row = {"who": f"u{id}", "what": "Order Completed", "page": "https://shop.example/?a=1&b=2"}
    return person(id, total=12.5, **row) | columns


class TestTemplates:
    """A payload of the receiver's own shape."""

    @pytest.mark.parametrize("payload", ["event", "record"])
    async def test_the_page_s_template_arrives(self, serve, payload):
        """As it stands in Datafly's page; a hostile value stays in its place."""
        async with receiver(serve, payload=payload, template=TEMPLATE) as (served, received):
            rows = order(1), order(2, who='u"2"}, "admin": true, {"\n')
            assert await reasons(served, "add", sync(*rows, mappings=MAPPINGS)) == {}

        assert sorted(received.bodies, key=lambda body: len(body["user"])) == [
            {
                "event_type": "Order Completed",
                "user": who,
                "data": {"page": "https://shop.example/?a=1&b=2", "revenue": 12.5},
            }
            for who in ("u1", 'u"2"}, "admin": true, {"\n')
        ]

    @pytest.mark.parametrize("batching", ["none", "array"])
    async def test_what_gives_no_json_is_rejected_alone(self, serve, batching):
        """With line and column; its neighbours arrive, in an array too."""
        template = '{\n  "n": {% if born != "" %}{{ born }}{% endif %}\n}'
        async with receiver(serve, template=template, batching=batching) as (served, received):
            rows = person(1, born=5), person(2, born=""), person(3, born="x")
            rejected = await reasons(served, "add", sync(*rows))

        assert rejected == {2: "TEMPLATE_ERROR: line 3, column 1: this is no JSON: expecting value"}
        bodies = received.bodies[0] if batching == "array" else received.bodies
        assert sorted(str(body["n"]) for body in bodies) == ["5", "x"]

    async def test_a_template_may_be_a_table(self, serve):
        """Every text in it is a template."""
        template = {
            "who": {"email": "{{ email }}"},
            "row": "{{ row_id }}",
            "was": "{{ operation }}",
        }
        async with receiver(serve, template=template) as (served, received):
            assert await reasons(served, "change", sync(person(7))) == {}

        assert received.bodies == [{"who": {"email": "7@example.com"}, "row": 7, "was": "change"}]

    async def test_address_and_headers_may_be_templates(self, serve):
        """A value stays in its segment, its parameter and its header."""
        async with receiver(
            serve,
            "/people/{{ id }}?from={{ first_name }}",
            query={"email": "{{ email }}", "born": "{{ born }}"},
            headers={"X-Name": "{{ first_name }}", "X-Born": "{{ born }}"},
        ) as (served, received):
            row = person("a/../b?c#d", first_name="x&y=z")
            assert await reasons(served, "add", sync(row)) == {}

        assert received.paths == [
            "/people/a%2F..%2Fb%3Fc%23d?from=x%26y%3Dz&email=a%2F..%2Fb%3Fc%23d%40example.com"
        ]
        assert received.headers[0]["X-Name"] == "x&y=z"
        assert "X-Born" not in received.headers[0]

    async def test_what_cannot_stand_in_a_header_rejects_its_row(self, serve):
        """The reason names the header and shows nothing of the row."""
        async with receiver(serve, headers={"X-Name": "{{ first_name }}"}) as (served, received):
            rows = person(1, first_name="hunter2\r\nX-Evil: 1"), person(2)
            rejected = await reasons(served, "add", sync(*rows))

        assert rejected.keys() == {1}
        assert rejected[1].startswith("TEMPLATE_ERROR: header X-Name: line 1, column 1: a charac")
        assert "hunter2" not in rejected[1]
        assert len(received.requests) == 1

    async def test_a_value_that_would_change_the_path_rejects_its_row(self, serve):
        """Nothing is sent to another address than the one that was meant."""
        async with receiver(serve, "/people/{{ first_name }}") as (served, received):
            rows = [person(n, first_name=name) for n, name in enumerate(["", "..", ".", "x"])]
            rejected = await reasons(served, "add", sync(*rows))

        assert rejected.keys() == {0, 1, 2}
        assert rejected[0] == "TEMPLATE_ERROR: url: line 1: a value of the path is empty"
        assert received.paths == ["/people/x"]

    async def test_a_form_is_encoded(self, serve):
        """A template that names its parameters, and nothing a value holds makes another."""
        template = {"email": "{{ email }}", "name": "{{ first_name }}", "list": "{{ born }}"}
        async with receiver(serve, encoding="form", template=template) as (served, received):
            row = person(1, first_name="a&b=c é", born=[1, 2])
            assert await reasons(served, "add", sync(row)) == {}

        [sent] = received.requests
        assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert sent.form == [
            ("email", "1@example.com"),
            ("name", "a&b=c é"),
            ("list", "1"),
            ("list", "2"),
        ]


class TestRows:
    """Columns that are not mapped."""

    async def test_templates_see_the_whole_row(self, serve):
        """Also the columns that no field is mapped from."""
        template = {"row": "{{ row }}", "one": "{{ row.extra }}", "text": "{{ row | json }}"}
        async with receiver(serve, template=template) as (served, received):
            assert await reasons(served, "add", sync(person(1, extra=[1, {"a": None}]))) == {}

        [body] = received.bodies
        row = person(1, extra=[1, {"a": None}])
        assert (body["row"], body["one"], json.loads(body["text"])) == (row, row["extra"], row)

    @pytest.mark.parametrize("template", [None, {"x": "{{ row.other }}"}])
    async def test_a_column_that_cannot_be_read_matters_to_who_reads_it(self, serve, template):
        """A row is rejected for it where a template may come to it, and not otherwise."""
        settings = {"template": template} if template else {}
        async with receiver(serve, **settings) as (served, received):
            params = sync(person(1), person(2, born=1, other="unreadable"))
            call = {"jsonrpc": "2.0", "id": 1, "method": "add", "params": params}
            text = json.dumps(call).replace('"unreadable"', "1e999")
            answer = await served.post(text.encode(), HOOK)
            rejected = (await answer.json())["result"]["rejectedRows"]

        assert [each["id"] for each in rejected] == ([2] if template else [])
        assert len(received.requests) == (1 if template else 2)


class TestEvents:
    """The canonical event."""

    async def test_rows_are_events(self, serve):
        """What is mapped to a member's name is that member, anything else a property."""
        mappings = [*MAPPINGS, {"from": "colour", "to": "colour"}]
        async with receiver(serve, payload="event") as (served, received):
            assert (
                await reasons(served, "add", sync(order(1, colour="red"), mappings=mappings)) == {}
            )

        [event] = received.bodies
        assert event.pop("messageId") == event.pop("event_id")
        assert event.pop("timestamp").endswith("Z")
        assert event.pop("anonymousId")
        assert event == {
            "type": "track",
            "event": "Order Completed",
            "properties": {"total": 12.5, "colour": "red", "email": "1@example.com"},
            "traits": {},
            "userId": "u1",
            "groupId": None,
            "context": {"page": {"url": "https://shop.example/?a=1&b=2"}},
        }

    async def test_what_makes_no_event_is_rejected_alone(self, serve):
        """The reason names the member."""
        async with receiver(serve, payload="event", batching="array") as (served, received):
            rows = order(1), order(2, what=None) | {"kind": "track"}, order(3)
            mappings = [*MAPPINGS, {"from": "kind", "to": "type"}]
            rejected = await reasons(served, "add", sync(*rows, mappings=mappings))

        assert rejected == {2: "INVALID_ROW: event: required for events of type track"}
        assert [event["userId"] for event in received.bodies[0]] == ["u1", "u3"]

    async def test_the_form_offers_the_members(self, serve):
        """Those that have a meaning of their own; any other field may be mapped too."""
        hook = {"kind": "webhook", "url": "https://example.com", "payload": "event"}
        served = await serve({"hook": hook | {"fields": [{"id": "event"}, {"id": "total"}]}})

        fields = (await served.result("list_fields", {}, path=HOOK))["fields"]

        names = [field["id"] for field in fields]
        assert names == [
            "userId",
            "anonymousId",
            "type",
            "timestamp",
            "messageId",
            "event",
            "total",
        ]
        assert [field["id"] for field in fields if field.get("identifier")] == ["userId"]


class TestIds:
    """What is sent again has the same id."""

    async def ids(self, serve, *calls: Any, **settings: Any) -> list[str]:
        """The event ids of what these calls send, each of them to a server of its own."""
        sent = []
        for method, row in calls:
            async with receiver(serve, payload="event", **settings) as (served, received):
                await reasons(served, method, sync(row, mappings=MAPPINGS))
            sent += [event["event_id"] for event in received.bodies]
        return sent

    async def test_a_repeated_call_has_the_same_ids(self, serve):
        """Also after a restart, whose server remembers nothing."""
        async with receiver(serve, payload="event", remember=0) as (served, received):
            for _ in range(2):
                await reasons(served, "add", sync(order(1), mappings=MAPPINGS))
        [other] = await self.ids(serve, ("add", order(1)))

        assert {event["event_id"] for event in received.bodies} == {other}
        assert {event["anonymousId"] for event in received.bodies} == {
            received.bodies[0]["anonymousId"]
        }

    async def test_anything_else_has_another(self, serve):
        """Another row, another operation, the same row changed."""
        calls = [
            ("add", order(1)),
            ("add", order(2)),
            ("change", order(1)),
            ("change", order(1, total=13)),
            ("remove", order(1)),
            ("add", order("1")),
        ]
        made = await self.ids(serve, *calls)

        assert len(set(made)) == len(calls)

    async def test_somebody_has_one_id_in_every_row_s_version(self, serve):
        """The anonymous id is that of the row, whatever became of it."""
        known = []
        for method in ("add", "change"):
            async with receiver(serve, payload="event") as (served, received):
                await reasons(served, method, sync(order(1, total=len(known)), mappings=MAPPINGS))
            known.append(received.bodies[0]["anonymousId"])

        assert known[0] == known[1]
