"""From settings to routes: who is there, who answers where, and what is wrong with settings."""

from typing import Any

import pytest
from support import BEARER

from destination.app import INSTANCES, build, make_instance, make_instances
from destination.errors import ConfigError
from destination.instance import Instance
from destination.listen import listening
from destination.settings import Server, Settings

SECRET = "canary-" + "s" * 40
URL = "https://example.com/rows"
WEBHOOK = {"kind": "webhook", "url": URL}

pytestmark = pytest.mark.usefixtures("kinds_for_tests")


def refused(**destinations: Any) -> list[str]:
    """What is said of these destinations, line by line."""
    with pytest.raises(ConfigError) as raised:
        make_instances(Settings(destinations=destinations))
    return raised.value.message.splitlines()


class TestInstances:
    """A destination from its table of settings."""

    def test_every_table_is_an_instance(self):
        """Names are the operator's; a kind may serve several times."""
        instances = make_instances(Settings(destinations={"a": WEBHOOK, "b": WEBHOOK}))

        assert {name: (each.name, each.kind) for name, each in instances.items()} == {
            "a": ("a", "webhook"),
            "b": ("b", "webhook"),
        }
        assert instances["a"].plugin is not instances["b"].plugin

    @pytest.mark.parametrize(
        ("table", "lines"),
        [
            ({}, ["destinations.x.kind: is missing. There is: "]),
            ({"kind": 5}, ["destinations.x.kind: is missing. There is: "]),
            ({"kind": "webhok"}, ['destinations.x: Kind "webhok" does not exist. Did you mean "']),
            (
                WEBHOOK | {"ulr": "x"},
                ['destinations.x: Setting "ulr" does not exist. Did you mean "url"?'],
            ),
            (
                WEBHOOK | {"concurrencies": 1},
                ['destinations.x: Setting "concurrencies" does not exist. Did you mean "concurr'],
            ),
            ({"kind": "webhook"}, ["destinations.x.url: "]),
            (WEBHOOK | {"url": "not a url"}, ["destinations.x.url: "]),
            (WEBHOOK | {"url": "ftp://example.com"}, ["destinations.x.url: "]),
            (WEBHOOK | {"rate": 0}, ["destinations.x.rate: "]),
            (WEBHOOK | {"batch_size": 0}, ["destinations.x.batch_size: "]),
            (WEBHOOK | {"timeout": -1}, ["destinations.x.timeout: "]),
            (WEBHOOK | {"method": "GET"}, ["destinations.x.method: "]),
            (
                WEBHOOK | {"auth": {"scheme": "magic"}},
                ["destinations.x.auth: 'scheme' must be 'none', 'bearer', 'basic', 'header'"],
            ),
            (WEBHOOK | {"auth": {"scheme": "bearer"}}, ["destinations.x.auth.bearer.token: "]),
            (
                WEBHOOK | {"auth": {"scheme": "bearer", "token": "t", "tokn": "t"}},
                ["destinations.x.auth.bearer.tokn: "],
            ),
            ({"kind": "people", "refuse": "x"}, ["destinations.x.refuse: "]),
        ],
    )
    def test_a_wrong_setting_is_named(self, table, lines):
        """Each line names the destination and the setting, and what was expected."""
        said = refused(x=table)

        assert len(said) == len(lines)
        for line, start in zip(said, lines, strict=True):
            assert line.startswith(start)

    def test_everything_wrong_is_told_at_once(self):
        """Not the first problem alone: all of all destinations."""
        said = refused(
            a={"kind": "zzz"}, b=WEBHOOK, c={"kind": "webhook", "colour": 1, "rate": "fast"}
        )

        assert len(said) >= 3
        assert said[0].startswith("destinations.a: ")
        assert any('"colour"' in line for line in said)

    @pytest.mark.parametrize(
        "table",
        [
            WEBHOOK | {"auth": {"scheme": "bearer", "token": [SECRET]}},
            WEBHOOK | {"auth": {"scheme": SECRET}},
            WEBHOOK | {"headers": {"X": [SECRET]}},
            {"kind": "webhook", "url": f"not a url {SECRET}"},
            WEBHOOK | {"rate": SECRET},
        ],
    )
    def test_values_are_not_told(self, table):
        """An error names settings and shows none."""
        assert SECRET not in "\n".join(refused(x=table))

    def test_secrets_are_not_shown(self):
        """What a destination is configured with is not in its repr."""
        table = WEBHOOK | {"auth": {"scheme": "basic", "username": "u", "password": SECRET}}

        instance = make_instance("x", table, Server())

        assert SECRET not in repr(instance) + repr(instance.plugin.settings) + repr(vars(instance))

    def test_rows_in_a_call_follow_from_the_body_s_limit(self):
        """``behavior`` never asks for more rows than a body can carry."""
        small = make_instance("x", WEBHOOK, Server(max_body="1MiB"))
        large = make_instance("x", WEBHOOK, Server(max_rows=50))

        assert isinstance(small, Instance)
        assert small.max_rows == 32
        assert large.max_rows == 50


class TestRoutes:
    """Who answers where."""

    async def test_the_index_lists_the_destinations(self, serve):
        """Names, kinds and URLs, as JSON for curl, and nothing of the settings."""
        served = await serve({"people": {"kind": "people"}, "crm": WEBHOOK})

        async with served.http.get(served.url, headers=BEARER) as answer:
            assert answer.status == 200
            assert await answer.json() == {
                "destinations": [
                    {"name": "people", "kind": "people", "url": "/hightouch/people"},
                    {"name": "crm", "kind": "webhook", "url": "/hightouch/crm"},
                ]
            }

    @pytest.mark.parametrize(
        ("path", "says"),
        [("/healthz", {"status": "ok"}), ("/readyz", {"status": "ok", "state": "ok"})],
    )
    async def test_health_needs_no_secret(self, serve, path, says):
        """A platform's probe is answered without a secret and learns nothing."""
        served = await serve()

        async with served.http.get(served.url + path) as answer:
            assert (answer.status, await answer.json()) == (200, says)

    async def test_the_index_needs_the_secret(self, serve):
        """Which destinations there are is nobody else's business."""
        served = await serve()

        async with served.http.get(served.url) as answer:
            assert answer.status == 401
            assert "people" not in await answer.text()

    async def test_one_destination_is_at_the_root_too(self, serve):
        """With exactly one destination the bare address is enough."""
        served = await serve()

        at_root = await served.result("list_objects", path="/")

        assert at_root == await served.result("list_objects", path="/hightouch/people")

    async def test_the_root_is_nobody_s_among_several(self, serve):
        """Without one that must be meant the caller has to say which."""
        served = await serve({"people": {"kind": "people"}, "bare": {"kind": "bare"}})

        response = await served.post({"jsonrpc": "2.0", "id": 1, "method": "behavior"}, "/")

        assert response.status == 404
        assert (await response.json())["error"]["code"] == -32000

    async def test_each_destination_has_its_own_url(self, serve):
        """Calls go to the destination that the path names, with or without a trailing slash."""
        served = await serve({"people": {"kind": "people"}, "bare": {"kind": "bare"}})

        for slash in ("", "/"):
            people = await served.result("list_objects", path=f"/hightouch/people{slash}")
            bare = await served.result("list_objects", path=f"/hightouch/bare{slash}")
            assert [each["id"] for each in people["objects"]] == ["user", "organization"]
            assert bare == {"objects": None}

    @pytest.mark.parametrize("path", ["/hightouch/nobody", "/hightouch", "/hightouch/people/x"])
    async def test_an_unknown_url_is_not_found(self, serve, path):
        """A destination that there is none of is a 404 in JSON."""
        served = await serve()

        response = await served.post({"jsonrpc": "2.0", "id": 1, "method": "behavior"}, path)

        assert response.status == 404
        assert response.content_type == "application/json"

    async def test_connections_end_with_the_server(self):
        """What was opened for a destination is closed when the server stops."""
        people = {"kind": "people", "allow_private_networks": True}
        app = build(Settings(destinations={"people": people}))

        async with listening(app, "127.0.0.1", 0, grace=1) as url:
            http = app[INSTANCES]["people"].plugin.http

        with pytest.raises(RuntimeError, match="closed"):
            await http.request("GET", url)

    async def test_a_server_without_destinations_serves(self):
        """Nothing configured is no error: the index is empty."""
        assert make_instances(Settings(destinations={})) == {}
