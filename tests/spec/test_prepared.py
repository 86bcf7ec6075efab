"""What goes out for rows: address, headers and body, with every value in its place."""

import asyncio
import json
import urllib.parse
from typing import Any, ClassVar

import httpx
import pytest
from declared import NOW, URL, body, made, pairs, record, refused, writer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from destination.errors import Code, RefusedError, RowError
from destination.fingerprint import event_id
from destination.model import Operation
from destination.spec.prepared import LONGEST_URL

NASTY = "../a?b#c@d/e%2f&g=h;i\r\nX-Evil: 1\x00\"\\'{{ fields }}{% raw %}\u2028ü👩"
hostile = st.text(min_size=1) | st.just(NASTY)


class TestPayloads:
    """What is sent of a row."""

    def test_a_record_is_operation_id_and_fields(self):
        """Without a template a row is told like this."""
        assert body({}, record("a", x=1), operation=Operation.CHANGE) == {
            "operation": "change",
            "id": "a",
            "fields": {"x": 1},
        }

    def test_a_structure_keeps_types(self):
        """A text that is one expression gives the value itself, any other gives text."""
        template = {
            "user": "{{ id }}",
            "note": "{{ id }}!",
            "list": ["{{ tags }}", 5, None],
            "none": "{{ missing }}",
            "is": {"fixed": True},
        }

        assert body({"template": template}, record(7, tags=["a"])) == {
            "user": 7,
            "note": "7!",
            "list": [["a"], 5, None],
            "is": {"fixed": True},
        }

    def test_templates_see_more_than_the_fields(self):
        """The row's id, all of its columns, the operation, settings and an id for the event."""
        template = {
            "id": "{{ id }}",
            "row_id": "{{ row_id }}",
            "column": "{{ row.x }}",
            "field": "{{ fields.x }}",
            "operation": "{{ operation }}",
            "region": "{{ settings.region }}",
            "event": "{{ event_id }}",
        }
        sent = record(7, x=1)

        assert body({"template": template}, sent) == {
            "id": 7,
            "row_id": 7,
            "column": 1,
            "field": 1,
            "operation": "add",
            "region": "eu",
            "event": event_id(writer({}, sent).batch, [sent]),
        }

    def test_a_field_called_id_is_the_row_s_word(self):
        """``row_id`` is the row's id in any case."""
        template = {"id": "{{ id }}", "row_id": "{{ row_id }}"}

        assert body({"template": template}, record(7, id="x")) == {"id": "x", "row_id": 7}

    def test_a_field_cannot_hide_what_is_ours(self):
        """A row that has a column of such a name changes nothing of it."""
        fields = dict.fromkeys(("operation", "settings", "options", "row", "fields", "event_id"), 1)
        template = {"operation": "{{ operation }}", "region": "{{ settings.region }}"}

        made = body({"template": template}, record(**fields))

        assert made == {"operation": "add", "region": "eu"}

    def test_nothing_may_be_sent(self):
        """``payload = "none"`` has neither a body nor a type of one."""
        [sent] = made({"method": "DELETE", "payload": "none", "url": URL + "/{{ id }}"}, record(7))

        assert (sent.method, sent.url, sent.content) == ("DELETE", URL + "/7", None)
        assert sent.headers == {}

    @settings(deadline=None)
    @given(value=hostile)
    def test_text_stays_text(self, value: str):
        """In the text of a template and in a structure, within quotes and without."""
        text = '{"in": "a {{ v }} b", "out": {{ v }}}'
        structure = {"in": "a {{ v }} b", "out": "{{ v }}"}

        for template in (text, structure):
            assert body({"template": template}, record(v=value)) == {
                "in": f"a {value} b",
                "out": value,
            }


class TestAddresses:
    """Where a request goes."""

    def test_values_are_percent_encoded(self):
        """In the path and in the query, which comes after that of the URL."""
        request = {
            "url": URL + "/{{ id }}/x?a={{ b }}",
            "query": {"c": "{{ b }}", "list": "{{ l }}", "fixed": "1 2", "none": "{{ nope }}"},
        }

        [sent] = made(request, record("a/b c", b="d&e=é", l=[1, "x"]))

        assert sent.url == (
            f"{URL}/a%2Fb%20c/x?a=d%26e%3D%C3%A9&c=d%26e%3D%C3%A9&list=1&list=x&fixed=1%202"
        )

    @pytest.mark.parametrize(
        ("url", "query", "expected"),
        [
            (URL, {"a": "1"}, URL + "?a=1"),
            (URL + "?b=2", {"a": "1"}, URL + "?b=2&a=1"),
            (URL + "?b=%7E", {}, URL + "?b=%7E"),
            (URL, {"a": "{{ nope }}"}, URL),
            (f"  {URL}\n", {}, URL),
        ],
    )
    def test_a_query_joins_the_url(self, url: str, query: dict[str, str], expected: str):
        """With what it takes; a parameter that the row does not have is left out."""
        [sent] = made({"url": url, "query": query}, record())

        assert sent.url == expected

    @settings(deadline=None)
    @given(path=hostile, query=hostile)
    @example(path="..", query="x")
    def test_values_stay_in_their_places(self, path: str, query: str):
        """Host, segments and parameters are those that the template wrote."""
        request = {
            "url": "https://h.example/v1/{{ p }}/rows?q={{ q }}&r=1",
            "query": {"s": "{{ q }}", "t": "2"},
        }
        if path in (".", ".."):
            assert refused(request, record(p=path, q=query)).code is Code.TEMPLATE_ERROR
            return

        [sent] = made(request, record(p=path, q=query))

        parsed = httpx.URL(sent.url)
        assert parsed.host == "h.example"
        raw, _, asked = parsed.raw_path.decode().partition("?")
        assert [urllib.parse.unquote(each) for each in raw.split("/")] == ["", "v1", path, "rows"]
        told = urllib.parse.parse_qsl(asked, keep_blank_values=True, strict_parsing=True)
        assert told == [("q", query), ("r", "1"), ("s", query), ("t", "2")]

    def test_a_url_that_nobody_takes_is_not_sent(self):
        """8,000 characters are as many as everybody is asked to take."""
        error = refused({"url": URL + "/{{ v }}"}, record(v="x" * LONGEST_URL))

        assert error.code is Code.TOO_LARGE
        assert error.message == "not sent: its URL has more than 8,000 characters"

    def test_an_empty_value_of_the_path_is_not_sent(self):
        """The URL would name something else."""
        error = refused({"url": URL + "/{{ v }}"}, record(v=""))

        assert error.message == "url: line 1: a value of the path is empty"


class TestHeaders:
    """What stands above the body."""

    def test_they_are_templates(self):
        """One that comes out empty is left out."""
        headers = {"X-Id": "{{ id }}", "X-Empty": "{{ nope }}", "X-Fixed": " a b "}

        [sent] = made({"headers": headers}, record(7))

        assert sent.headers == {"Content-Type": "application/json", "X-Id": "7", "X-Fixed": "a b"}

    @pytest.mark.parametrize("name", ["Content-Type", "content-type"])
    def test_the_type_may_be_another(self, name: str):
        """In whatever letters it is written, there is one."""
        [sent] = made({"headers": {name: "application/vnd.acme+json"}}, record())

        assert sent.headers == {name: "application/vnd.acme+json"}

    @settings(deadline=None)
    @given(value=hostile)
    @example(value="0\t")
    def test_a_value_is_one_line_or_none(self, value: str):
        """What cannot stand in a header rejects the row, and the reason does not quote it."""
        request = {"headers": {"X-Value": "a {{ v }} b"}}
        rest = value.replace("\t", "")
        if rest.isascii() and rest.isprintable():
            [sent] = made(request, record(v=value))
            assert sent.headers["X-Value"] == f"a {value} b"
        else:
            error = refused(request, record(v=value))
            assert error.message.startswith("header X-Value: line 1, column 3: a character")


class TestForms:
    """Parameters in place of JSON."""

    def test_they_are_encoded(self):
        """Lists are parameters of one name, null is empty, what is missing is left out."""
        template = {"a": "{{ a }}", "b": "{{ b }}", "c": "{{ nope }}", "d": "{{ d }}", "e f": "1&2"}

        [sent] = made({"encoding": "form", "template": template}, record(a="x y", b=[1, 2], d=None))

        assert sent.content == b"a=x+y&b=1&b=2&d=&e+f=1%262"
        assert sent.headers == {"Content-Type": "application/x-www-form-urlencoded"}

    @settings(deadline=None)
    @given(value=hostile)
    def test_values_stay_in_their_places(self, value: str):
        """Whatever a value is, it makes no other parameter."""
        template = {"a": "x{{ v }}y", "b": "{{ v }}", "c": "1"}

        assert pairs({"template": template}, record(v=value)) == [
            ("a", f"x{value}y"),
            ("b", value),
            ("c", "1"),
        ]

    def test_an_object_has_no_place_in_a_form(self):
        """The reason names the parameter."""
        error = refused({"encoding": "form", "template": {"a": "{{ v }}"}}, record(v={"b": 1}))

        assert error.message == "/a: a list or an object is no value of a form"


class TestArrays:
    """Several payloads in a request."""

    ROWS = (record(1, 0, x="a"), record(2, 1, x="b"))
    ARRAY: ClassVar[dict[str, Any]] = {"batching": "array", "template": {"id": "{{ id }}"}}

    def test_payloads_stand_in_an_array(self):
        """In their order, also where there is one."""
        assert body(self.ARRAY, *self.ROWS) == [{"id": 1}, {"id": 2}]
        assert body(self.ARRAY, self.ROWS[0]) == [{"id": 1}]

    def test_an_array_may_be_a_member(self):
        """A text names it."""
        assert body(self.ARRAY | {"wrapper": "events"}, *self.ROWS) == {
            "events": [{"id": 1}, {"id": 2}]
        }

    def test_an_array_may_stand_anywhere(self):
        """A table says where, and what stands beside it."""
        wrapper = {
            "data": {"list": "{{ payloads }}"},
            "count": "{{ payloads.size }}",
            "what": "{{ operation }}",
            "from": "{{ settings.region }}",
            "id": "{{ event_id }}",
        }

        sent = body(self.ARRAY | {"wrapper": wrapper}, *self.ROWS)

        batch = writer({}, *self.ROWS).batch
        assert sent == {
            "data": {"list": [{"id": 1}, {"id": 2}]},
            "count": 2,
            "what": "add",
            "from": "eu",
            "id": event_id(batch, self.ROWS),
        }

    def test_a_large_array_may_be_counted(self):
        """However much the payloads weigh."""
        rows = [record(n, n, x="x" * 500) for n in range(1_000)]
        wrapper = {"list": "{{ payloads }}", "count": "{{ payloads.size }}"}

        sent = body({"batching": "array", "wrapper": wrapper}, *rows)

        assert (sent["count"], len(sent["list"])) == (1_000, 1_000)

    def test_address_and_headers_are_the_array_s(self):
        """They see what all of its rows share."""
        request = self.ARRAY | {
            "url": URL + "/{{ settings.region }}",
            "query": {"op": "{{ operation }}"},
            "headers": {"X-Id": "{{ event_id }}"},
        }

        [sent] = made(request, *self.ROWS)

        assert sent.url == URL + "/eu?op=add"
        assert sent.headers["X-Id"] == event_id(writer({}, *self.ROWS).batch, self.ROWS)

    def test_a_template_fails_on_its_row_alone(self):
        """The others stay in the array."""
        rows = (record(1, 0, n="a"), record(2, 1, n=""), record(3, 2, n="c"))
        request = {"batching": "array", "template": '{"n": {% if n != "" %}{{ n }}{% endif %}}'}
        writing = writer(request, *rows)

        payloads, rejections = asyncio.run(writing.payloads())

        assert [payload.body for payload in payloads] == [{"n": "a"}, {"n": "c"}]
        assert [each.position for each in rejections] == [1]

    def test_what_is_too_large_is_to_be_halved(self):
        """Of several payloads all are refused, a single one is its own fault."""
        limited = self.ARRAY | {"max_batch_bytes": 20}

        assert json.loads(made(limited, self.ROWS[0])[0].content or b"") == [{"id": 1}]
        several = refused(limited, *self.ROWS, record(3, 2))
        assert type(several) is RefusedError
        assert several.code is Code.TOO_LARGE
        single = refused(limited | {"max_batch_bytes": "5B"}, self.ROWS[0])
        assert type(single) is RowError
        assert single.reason == "TOO_LARGE: not sent: larger than 5 bytes"


class TestGroups:
    """Rows that agree in a field are one payload."""

    ROWS = (
        record(1, 0, order="o1", sku="a"),
        record(2, 1, order="o2", sku="b"),
        record(3, 2, order="o1", sku="c"),
        record(4, 3, order=None, sku="d"),
        record(5, 4, order="", sku="e"),
    )
    TEMPLATE: ClassVar = {"order": "{{ order }}", "skus": "{{ records | map: 'sku' }}"}

    def test_templates_see_all_records(self):
        """And at the top what the first has; rows without a key stand alone."""
        sent = made({"template": self.TEMPLATE}, *self.ROWS, group_by="order")

        assert [json.loads(each.content or b"") for each in sent] == [
            {"order": "o1", "skus": ["a", "c"]},
            {"order": "o2", "skus": ["b"]},
            {"order": None, "skus": ["d"]},
            {"order": "", "skus": ["e"]},
        ]

    def test_groups_stand_in_arrays_too(self):
        """Each is one payload."""
        sent = body(
            {"template": self.TEMPLATE, "batching": "array"}, *self.ROWS[:3], group_by="order"
        )

        assert [each["skus"] for each in sent] == [["a", "c"], ["b"]]

    def test_a_group_has_an_id_of_its_own(self):
        """Made of all of its rows; each of them has one too."""
        template = {"id": "{{ event_id }}", "each": "{{ records | map: 'event_id' }}"}
        rows = (self.ROWS[0], self.ROWS[2])

        sent = body({"template": template}, *rows, group_by="order")

        batch = writer({}, *rows).batch
        assert sent["id"] == event_id(batch, rows)
        assert sent["each"] == [event_id(batch, [row]) for row in rows]

    def test_a_row_s_event_id_is_known_to_a_loop(self):
        """Where the template names it within ``records`` alone."""
        template = '[{% for one in records %}"{{ one.event_id }}"{% endfor %}]'

        [id] = body({"template": template}, self.ROWS[1], group_by="order")

        assert id == event_id(writer({}, self.ROWS[1]).batch, [self.ROWS[1]])

    def test_a_large_group_can_be_told(self):
        """A thousand rows, as many as a group may have."""
        rows = [record(n, n, order="o", sku=f"sku-{n}") for n in range(1_000)]
        comma = "{% unless forloop.last %},{% endunless %}"
        template = '{"skus": [{% for one in records %}{{ one.sku }}' + comma + "{% endfor %}]}"

        sent = body({"template": template}, *rows, group_by="order")

        assert len(sent["skus"]) == 1_000


def test_now_is_the_same_for_all_rows():
    """A template that asks for the time gets that of the delivery."""
    rows = [record(n, n) for n in range(3)]
    request = {"batching": "array", "template": {"at": "{{ 'now' | date: '%s' }}"}}

    assert body(request, *rows) == [{"at": str(int(NOW.timestamp()))}] * 3
