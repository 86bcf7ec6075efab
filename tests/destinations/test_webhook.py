"""The webhook delivers rows as JSON to whatever takes them: here real receivers on sockets."""

import pytest
from pydantic import ValidationError
from webhooks import HOOK, person, reasons, receiver, stand_in, sync

from destinations.sandbox.webhook import NAME_LENGTH
from destinations.webhook import Settings


class TestRequests:
    """What the receiver gets."""

    async def test_a_row_is_a_request(self, serve):
        """One request for each row, with what happened, its id and its fields."""
        async with receiver(serve) as (served, received):
            row = person(7, born=None, extra="not mapped")
            assert await reasons(served, "add", sync(row, person("b"))) == {}

        assert sorted(received.bodies, key=str) == sorted(
            [
                {
                    "operation": "add",
                    "id": 7,
                    "fields": {"email": "7@example.com", "first_name": "Ann", "born": None},
                },
                {
                    "operation": "add",
                    "id": "b",
                    "fields": {"email": "b@example.com", "first_name": "Ann"},
                },
            ],
            key=str,
        )
        assert received.headers[0]["Content-Type"] == "application/json"
        assert received.headers[0]["User-Agent"] == "destination"

    @pytest.mark.parametrize("operation", ["add", "change", "remove"])
    async def test_the_operation_is_told(self, serve, operation):
        """The receiver learns what happened to the row."""
        async with receiver(serve) as (served, received):
            await reasons(served, operation, sync(person(1)))

        assert received.bodies[0]["operation"] == operation

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_the_method_is_configured(self, serve, method):
        """Every row goes out with the operator's method."""
        async with receiver(serve, method=method) as (served, received):
            await reasons(served, "add", sync(person(1)))

        assert received.methods == [method]

    @pytest.mark.parametrize(
        ("auth", "header", "value"),
        [
            ({"scheme": "none"}, "Authorization", None),
            ({"scheme": "bearer", "token": "t0ken"}, "Authorization", "Bearer t0ken"),
            (
                {"scheme": "basic", "username": "Aladdin", "password": "open sesame"},
                "Authorization",
                "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            ),
            ({"scheme": "header", "name": "X-Api-Key", "value": "k3y"}, "X-Api-Key", "k3y"),
        ],
    )
    async def test_credentials_are_sent(self, serve, auth, header, value):
        """Each scheme puts its header on every request."""
        async with receiver(serve, auth=auth) as (served, received):
            await reasons(served, "add", sync(person(1), person(2)))

        assert [headers.get(header) for headers in received.headers] == [value, value]

    async def test_static_headers_are_sent(self, serve):
        """The operator's own headers are on every request."""
        headers = {"X-Source": "hightouch", "User-Agent": "us"}
        async with receiver(serve, headers=headers) as (served, received):
            await reasons(served, "add", sync(person(1)))

        assert received.headers[0]["X-Source"] == "hightouch"
        assert received.headers[0].getall("User-Agent") == ["us"]

    @pytest.mark.parametrize(
        "path", ["/a%7Eb", "/http%3A%2F%2Fx", "/%41", "/r?key=%7E&list[]=a%20b", "/rows/"]
    )
    async def test_the_url_is_used_as_it_is(self, serve, path):
        """Escapes in the operator's URL reach the receiver as they were written."""
        async with receiver(serve, path) as (served, received):
            await reasons(served, "add", sync(person(1)))

        assert received.paths == [path]

    async def test_values_are_exact(self, serve):
        """Big integers, nested values and unicode arrive as they were sent."""
        value = {"n": 10**29 + 1, "l": [1, None, {"ü": "名前 👩‍👩‍👧"}], "s": 'a"b\n'}
        async with receiver(serve) as (served, received):
            row = person(10**20, x=value)
            await reasons(served, "add", sync(row, mappings=[{"from": "x", "to": "deep.x"}]))

        assert received.bodies[0]["id"] == 10**20
        assert received.bodies[0]["fields"]["deep"] == {"x": value}

    async def test_proxies_of_the_environment_are_ignored(self, serve, monkeypatch):
        """Rows go to the receiver and nowhere else."""
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        async with receiver(serve) as (served, received):
            assert await reasons(served, "add", sync(person(1))) == {}

        assert len(received.bodies) == 1


class TestArrays:
    """Several rows in a request."""

    async def test_rows_are_one_array(self, serve):
        """Up to ``batch_size`` rows are one request, in their order."""
        async with receiver(serve, batching="array", batch_size=3) as (served, received):
            rows = [person(n) for n in range(7)]
            assert await reasons(served, "add", sync(*rows)) == {}

        sizes = sorted(len(body) for body in received.bodies)
        assert sizes == [1, 3, 3]
        assert sorted([each["id"] for each in body] for body in received.bodies) == [
            [0, 1, 2],
            [3, 4, 5],
            [6],
        ]

    async def test_a_single_row_is_an_array_too(self, serve):
        """The receiver always gets the same shape."""
        async with receiver(serve, batching="array") as (served, received):
            await reasons(served, "add", sync(person(1)))

        assert isinstance(received.bodies[0], list)

    async def test_a_hundred_rows_are_an_array_by_default(self, serve):
        """Without a ``batch_size`` of its own an array has a hundred rows."""
        async with receiver(serve, batching="array") as (served, received):
            await reasons(served, "add", sync(*(person(n) for n in range(250))))

        assert sorted(len(body) for body in received.bodies) == [50, 100, 100]

    async def test_a_refused_array_is_halved_to_its_culprits(self, serve):
        """A receiver that takes an array whole or not at all gets all rows but the bad ones."""
        async with stand_in(serve, batching="array") as (served, ask):
            rows = [person(n) for n in range(100)]
            for culprit in (13, 77):
                rows[culprit]["first_name"] = "x" * (NAME_LENGTH + 1)

            rejected = await reasons(served, "add", sync(*rows))

            assert rejected == dict.fromkeys((13, 77), "VENDOR_REJECTED: the vendor answered 422")
            held = {row["id"] for row in (await ask("rows"))["rows"]}
            assert held == set(range(100)) - {13, 77}
            assert (await ask("requests"))["requests"] <= 1 + 2 * 2 * 7

    async def test_single_rows_are_refused_singly(self, serve):
        """Where each row is a request, a refusal is that row's."""
        async with stand_in(serve) as (served, ask):
            rows = [person(1), person(2, first_name="x" * (NAME_LENGTH + 1)), person(3)]

            rejected = await reasons(served, "add", sync(*rows))

            assert rejected == {2: "VENDOR_REJECTED: the vendor answered 422"}
            assert (await ask("requests"))["requests"] == 3


class TestRuns:
    """What the receiver holds in the end."""

    async def test_rows_come_change_and_go(self, serve):
        """Added and changed rows are held as sent last, removed ones no more."""
        async with stand_in(serve) as (served, ask):
            await reasons(served, "add", sync(person(1), person(2), person("3")))
            await reasons(served, "change", sync(person(2, first_name="Bea")))
            await reasons(served, "remove", sync({"id": "3", "email": "3@example.com"}))

            held = {row["id"]: row["fields"] for row in (await ask("rows"))["rows"]}

        assert held == {
            1: {"email": "1@example.com", "first_name": "Ann"},
            2: {"email": "2@example.com", "first_name": "Bea"},
        }

    async def test_a_removal_needs_the_identifier_only(self, serve):
        """What else a removed row has is left out where it does not fit."""
        async with receiver(
            serve, fields=[{"id": "email", "identifier": True}, {"id": "born", "type": "DATE"}]
        ) as (served, received):
            gone = {"id": 1, "email": "a@b.c", "born": "not a date"}
            assert await reasons(served, "remove", sync(gone)) == {}

        assert received.bodies[0]["fields"] == {"email": "a@b.c"}

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (400, "VENDOR_REJECTED: the vendor answered 400"),
            (302, "REDIRECT_REFUSED: the vendor answered 302, a redirect, which is not followed"),
            (
                429,
                "RATE_LIMITED: not sent: the vendor answered 429; "
                "it wants fewer requests or a pause",
            ),
            (500, "OUTCOME_UNKNOWN: the vendor answered 500; may have been delivered"),
        ],
    )
    async def test_a_status_is_a_reason(self, serve, status, reason):
        """A row that was not taken has a reason, without the receiver's text."""
        async with receiver(serve, status=status) as (served, _):
            assert await reasons(served, "add", sync(person(1))) == {1: reason}

    async def test_credentials_that_are_refused_fail_the_call(self, serve):
        """A receiver that knows the secret no more is a matter for a person."""
        auth = {"scheme": "bearer", "token": "an old token"}
        async with stand_in(serve, auth) as (served, _):
            error = (await served.rpc("add", sync(person(1)), path=HOOK))["error"]

        assert error["code"] == -32001
        assert error["message"].startswith("AUTH_FAILED: the vendor answered 401")
        assert "old token" not in str(error)

    async def test_a_blip_costs_its_rows_only(self, serve):
        """A row that was not taken is sent again; one that may have been is named, and no other."""
        async with stand_in(serve, concurrency=1) as (served, ask):
            await ask("behavior", next=[{"status": 503}, {"status": 500}])

            rejected = await reasons(served, "add", sync(*(person(n) for n in range(5))))

            assert [reason.split(":")[0] for reason in rejected.values()] == ["OUTCOME_UNKNOWN"]
            assert len((await ask("rows"))["rows"]) == 4

    async def test_plain_http_needs_permission(self, serve):
        """Rows and credentials go over http only where the operator allows it."""
        async with receiver(serve, allow_private_networks=False) as (served, received):
            error = (await served.rpc("add", sync(person(1)), path=HOOK))["error"]

        assert error["code"] == -32002
        assert "allow_private_networks" in error["message"]
        assert received.bodies == []


class TestForm:
    """What the marketer sees."""

    FIELDS = (
        {"id": "email", "label": "E-mail", "type": "EMAIL", "required": True, "identifier": True},
        {"id": "born", "type": "DATE"},
        {"id": "ltv", "type": "NUMBER"},
        {"id": "plan", "type": "ENUM", "choices": ["free", "paid"]},
        {"id": "address.city"},
    )

    async def test_without_fields_there_is_an_identifier(self, serve):
        """There is something to match rows by, and any field may be mapped."""
        served = await serve({"hook": {"kind": "webhook", "url": "https://example.com"}})

        assert await served.result("list_objects", path=HOOK) == {"objects": None}
        assert await served.result("list_options", {}, path=HOOK) == {"options": None}
        [only] = (await served.result("list_fields", {}, path=HOOK))["fields"]
        assert (only["id"], only["identifier"]) == ("id", True)
        configuration = {"mappings": [{"from": "a", "to": "anything"}]}
        validated = await served.result("validate", {"configuration": configuration}, path=HOOK)
        assert validated == {"errors": []}

    async def test_declared_fields_are_shown_and_coerced(self, serve):
        """The operator's list is the form's, and values arrive in its types."""
        async with receiver(serve, fields=self.FIELDS) as (served, received):
            fields = (await served.result("list_fields", {}, path=HOOK))["fields"]
            names = ("born", "ltv", "plan", "address.city")
            mappings = [{"from": name, "to": name} for name in names]
            good = {"id": 1, "email": " a@b.c ", "born": "2001-02-03T00:00:00Z", "ltv": "12.50"}
            good |= {"plan": "paid", "address.city": 5}
            rejected = await reasons(
                served, "add", sync(good, person(2, plan="gold"), mappings=mappings)
            )

        assert [each["id"] for each in fields] == ["email", *names]
        [body] = received.bodies
        assert body["fields"] == {
            "email": "a@b.c",
            "born": "2001-02-03",
            "ltv": 12.5,
            "plan": "paid",
            "address": {"city": "5"},
        }
        assert rejected.keys() == {2}
        assert rejected[2].startswith("INVALID_ROW: plan: ")

    async def test_a_closed_list_is_closed(self, serve):
        """With ``custom_fields = false`` other fields are told of by ``validate``."""
        hook = {"kind": "webhook", "url": "https://example.com", "custom_fields": False}
        served = await serve({"hook": hook | {"fields": self.FIELDS}})
        configuration = sync(mappings=[{"from": "a", "to": "bron"}])["configuration"]

        validated = await served.result("validate", {"configuration": configuration}, path=HOOK)

        assert validated == {"errors": ['Field "bron" does not exist. Did you mean "born"?']}


class TestSettings:
    """What the operator may say."""

    URL = "https://example.com"

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"url": "example.com"},
            {"url": URL, "method": "GET"},
            {"url": URL, "batching": "lines"},
            {"url": URL, "colour": 1},
            {"url": URL, "auth": {"scheme": "bearer"}},
            {"url": URL, "auth": {"scheme": "header", "name": "X Y", "value": "v"}},
            {"url": URL, "auth": {"scheme": "header", "name": "X:", "value": "v"}},
            {"url": URL, "auth": {"scheme": "header", "name": "X", "value": "v\r\nX-Evil: 1"}},
            {"url": URL, "auth": {"scheme": "bearer", "token": "from a file\n"}},
            {"url": URL, "auth": {"scheme": "bearer", "token": ""}},
            {"url": URL, "headers": {"X-A": "1\r\nX-Evil: 1"}},
            {"url": URL, "headers": {"X-A": "Zoë"}},
            {"url": URL, "headers": {"X A": "1"}},
            {"url": URL, "headers": {"": "1"}},
            {"url": URL, "fields": [{"id": ""}]},
            {"url": URL, "fields": [{"id": "a", "type": "date"}]},
            {"url": URL, "fields": [{"id": "a"}, {"id": "a"}]},
            {"url": URL, "group_by": "a", "template": {"a": "{{ a }}"}},
            {"url": URL, "filter": "a = 1"},
        ],
    )
    def test_what_cannot_work_is_refused(self, settings):
        """A mistake is told when the server starts, not when the first row fails."""
        with pytest.raises(ValidationError):
            Settings.model_validate(settings)

    def test_secrets_are_not_shown(self):
        """Neither repr nor an error holds a credential."""
        for auth in (
            {"scheme": "bearer", "token": "hunter2"},
            {"scheme": "basic", "username": "u", "password": "hunter2"},
            {"scheme": "header", "name": "X", "value": "hunter2"},
        ):
            settings = Settings.model_validate({"url": self.URL, "auth": auth})
            assert "hunter2" not in repr(settings)

        with pytest.raises(ValidationError) as raised:
            Settings.model_validate(
                {"url": "x", "auth": {"scheme": "bearer", "token": ["hunter2"]}}
            )
        assert "hunter2" not in str(raised.value)


class TestCheck:
    """What ``destination check`` asks."""

    async def test_nothing_is_written(self, serve):
        """A request for options: any answer that lets us in will do."""
        async with receiver(serve, status=405) as (served, received):
            assert await served.plugin("hook").check() is None

        assert received.methods == ["OPTIONS"]

    async def test_an_address_of_each_row_is_not_asked(self, serve):
        """It says so, rather than that all is well."""
        async with receiver(serve, "/people/{{ id }}") as (served, received):
            said = await served.plugin("hook").check()

        assert said == "the address depends on the row, so nothing was asked"
        assert received.requests == []


async def test_a_batch_size_does_not_lose_rows(serve):
    """Without array batching each row is a request, whatever ``batch_size`` says."""
    async with stand_in(serve, batch_size=50) as (served, ask):
        assert await reasons(served, "add", sync(*(person(n) for n in range(100)))) == {}
        assert len((await ask("rows"))["rows"]) == 100
