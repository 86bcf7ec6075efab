"""What a receiver's answer means for each row: by its status, its words and its results."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from webhooks import Arrived, failure, person, reasons, receiver, stand_in, sync

from destinations.sandbox.webhook import NAME_LENGTH, StandIn

UNCLEAR = "OUTCOME_UNKNOWN: the vendor's answer does not say which rows it took: "
BY_INDEX = {"rows": {"at": "/errors", "index": "/index", "message": "/why"}}
BY_ID = {"rows": {"at": "/errors", "id": "/id", "message": "/why"}}
BY_FIELD = {"rows": {"at": "/errors", "id": "/email", "field": "email", "message": "/why"}}
IN_ORDER = {"rows": {"at": "/results", "message": "/error"}}


def saying(body: Any, status: int = 200, **headers: str) -> Callable[[Arrived], web.Response]:
    """A receiver that always answers this."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _: web.Response(status=status, body=text, headers=headers)


def one_after_another(*answers: web.Response) -> Callable[[Arrived], web.Response]:
    """A receiver with a plan; the last answer goes on."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else web.Response(status=left[0].status)


class TestStatuses:
    """A status means what HTTP says, unless the operator says otherwise."""

    @pytest.mark.parametrize(
        ("status", "statuses", "reason"),
        [
            (409, {"409": "delivered"}, None),
            (409, {"4xx": "config", "409": "delivered"}, None),
            (500, {"5xx": "delivered"}, None),
            (202, {"202": "refused"}, "VENDOR_REJECTED: the vendor answered 202"),
            (200, {"2xx": "refused"}, "VENDOR_REJECTED: the vendor answered 200"),
            (200, {"2xx": "unknown"}, "OUTCOME_UNKNOWN: the vendor answered 200; may have been "),
            (500, {"500": "refused"}, "VENDOR_REJECTED: the vendor answered 500"),
            (401, {"401": "refused"}, "VENDOR_REJECTED: the vendor answered 401"),
            (418, {"418": "retry"}, "RATE_LIMITED: not sent: the vendor answered 418"),
            (
                422,
                {"422": "target"},
                "VENDOR_REJECTED: the vendor answered 422, which concerns all",
            ),
            (404, {}, "VENDOR_REJECTED: the vendor answered 404"),
        ],
    )
    async def test_of_a_row(self, serve, status, statuses, reason):
        """Delivered, or rejected with a reason that says why."""
        answer = {"statuses": statuses}
        async with receiver(serve, status=status, answer=answer, attempts=1) as (served, _):
            rejected = await reasons(served, "add", sync(person(1)))

        assert rejected.keys() == ({1} if reason else set())
        assert rejected.get(1, "").startswith(reason or "")

    @pytest.mark.parametrize(
        ("meaning", "message"),
        [
            ("auth", "AUTH_FAILED: the vendor answered 422: it refused the credentials"),
            ("config", "CONFIG_INVALID: the vendor answered 422, which calls for a person"),
        ],
    )
    async def test_of_a_call(self, serve, meaning, message):
        """What no row can help fails the call."""
        answer = {"statuses": {"422": meaning}}
        async with receiver(serve, status=422, answer=answer) as (served, _):
            error = await failure(served, "add", sync(person(1), person(2)))

        assert error["message"] == message

    @pytest.mark.parametrize("status", [404, 405])
    async def test_an_array_s_address_that_is_not_there(self, serve, status):
        """No other array is sent to it."""
        settings = {"batching": "array", "batch_size": 2, "concurrency": 1}
        async with receiver(serve, status=status, **settings) as (served, received):
            rejected = await reasons(served, "add", sync(*(person(n) for n in range(6))))

        told = f"the vendor answered {status}: nothing takes rows here"
        assert set(rejected.values()) == {
            f"VENDOR_REJECTED: {told}",
            f"VENDOR_REJECTED: not sent: {told}",
        }
        assert len(received.requests) == 1

    async def test_what_is_to_be_retried_is(self, serve):
        """As late as the receiver asks for."""
        busy = web.Response(status=200, headers={"Retry-After": "0"})
        plan = one_after_another(busy, web.Response(status=201))
        answer = {"statuses": {"200": "retry"}}
        async with receiver(serve, answers=plan, answer=answer) as (served, received):
            assert await reasons(served, "add", sync(person(1))) == {}

        assert len(received.requests) == 2


class TestWords:
    """Why a row was refused, in the receiver's words."""

    async def test_they_are_shown_without_the_row(self, serve):
        """What they quote of the row is replaced by the column's name."""
        body = {"error": {"detail": "1@example.com was born on 2001-02-03, call 555 12345"}}
        settings = {"answers": saying(body, 422), "answer": {"message": "/error/detail"}}
        async with receiver(serve, **settings) as (served, _):
            rejected = await reasons(served, "add", sync(person(1, born="2001-02-03")))

        assert rejected == {
            1: "VENDOR_REJECTED: the vendor answered 422: [email] was born on [born], call 555 …"
        }

    @pytest.mark.parametrize("body", [b"", b"hunter2", b"\xff", b"[" * 10_000, {"error": 5}, []])
    async def test_without_words_the_status_is_the_reason(self, serve, body):
        """Nothing else of the answer is told."""
        settings = {"answers": saying(body, 400), "answer": {"message": "/error/detail"}}
        async with receiver(serve, **settings) as (served, _):
            rejected = await reasons(served, "add", sync(person(1)))

        assert rejected == {1: "VENDOR_REJECTED: the vendor answered 400"}

    async def test_a_culprit_of_an_array_hears_them(self, serve):
        """Where halving leaves it alone, the words are about it."""

        def answer(arrived: Arrived) -> web.Response:
            bad = [one for one in arrived.body if one["id"] == 3]
            return web.json_response({"error": "too young"}, status=400 if bad else 200)

        settings = {"batching": "array", "answer": {"message": "/error"}, "answers": answer}
        async with receiver(serve, **settings) as (served, _):
            rejected = await reasons(served, "add", sync(*(person(n) for n in range(8))))

        assert rejected == {3: "VENDOR_REJECTED: the vendor answered 400: too young"}


def refusing(*ids: Any, form: str) -> Callable[[Arrived], web.Response]:
    """A receiver that takes all of an array but these, and tells so in this form."""

    def answer(arrived: Arrived) -> web.Response:
        entries = list(enumerate(arrived.body))
        bad = [(n, entry) for n, entry in entries if entry["id"] in ids]
        why = "too young"
        told = {
            "index": {"errors": [{"index": n, "why": why} for n, _ in bad]},
            "id": {"errors": [{"id": str(entry["id"]), "why": why} for _, entry in bad]},
            "field": {
                "errors": [
                    {"email": entry["fields"]["email"].upper(), "why": why} for _, entry in bad
                ]
            },
            "order": {"results": [{"error": why if one in bad else None} for one in entries]},
        }
        return web.json_response(told[form])

    return answer


FORMS = [("index", BY_INDEX), ("id", BY_ID), ("field", BY_FIELD), ("order", IN_ORDER)]


class TestResults:
    """An answer that tells of each row."""

    @pytest.mark.parametrize(("form", "answer"), FORMS)
    async def test_exactly_the_refused_rows_are_rejected(self, serve, form, answer):
        """The others count as delivered, and nothing is sent a second time."""
        told = refusing(2, 5, form=form)
        async with receiver(serve, batching="array", answer=answer, answers=told) as (
            served,
            received,
        ):
            rejected = await reasons(served, "add", sync(*(person(n) for n in range(8))))

        assert rejected == dict.fromkeys(
            (2, 5), "VENDOR_REJECTED: the vendor refused the row: too young"
        )
        assert len(received.requests) == 1

    @pytest.mark.parametrize(("form", "answer"), FORMS)
    async def test_none_may_be_refused(self, serve, form, answer):
        """Then all are delivered."""
        told = refusing(form=form)
        async with receiver(serve, batching="array", answer=answer, answers=told) as (served, _):
            assert await reasons(served, "add", sync(person(1), person(2))) == {}

    @pytest.mark.parametrize(
        ("answer", "body"),
        [
            (BY_INDEX, b"OK"),
            (BY_INDEX, b""),
            (BY_INDEX, b"\xff\xfe"),
            (BY_INDEX, b"[" * 200_000),
            (BY_INDEX, b'{"errors": [' + b"9" * 5_000 + b"]}"),
            (BY_INDEX, []),
            (BY_INDEX, {"errors": "none"}),
            (BY_INDEX, {"errors": [{"index": 2, "why": "no"}]}),
            (BY_INDEX, {"errors": [{"index": -1, "why": "no"}]}),
            (BY_INDEX, {"errors": [{"index": 10**30, "why": "no"}]}),
            (BY_INDEX, {"errors": [{"index": "0", "why": "no"}]}),
            (BY_INDEX, {"errors": [{"why": "no"}]}),
            (BY_ID, {"errors": [{"id": "nobody", "why": "no"}]}),
            (BY_ID, {"errors": [{"why": "no"}]}),
            (BY_FIELD, {"errors": [{"email": "", "why": "no"}]}),
            (IN_ORDER, {}),
            (IN_ORDER, {"results": [{}]}),
            (IN_ORDER, {"results": [{}, {}, {}]}),
            (IN_ORDER, {"results": [True, True]}),
        ],
    )
    async def test_any_other_answer_leaves_all_open(self, serve, answer, body):
        """No row counts as delivered or as refused that may be the other; none is sent again."""
        settings = {"batching": "array", "answer": answer, "answers": saying(body)}
        async with receiver(serve, **settings) as (served, received):
            rejected = await reasons(served, "add", sync(person(1), person(2)))

        assert rejected.keys() == {1, 2}
        for reason in rejected.values():
            assert reason.startswith(UNCLEAR)
            assert reason.endswith("may have been delivered")
        assert len(received.requests) == 1

    async def test_a_status_that_is_accepted_may_tell_of_rows(self, serve):
        """A receiver that takes the rest says so with a status of its own choice."""
        body = {"errors": [{"index": 0, "why": "no"}]}
        answer = {"statuses": {"422": "delivered"}, **BY_INDEX}
        settings = {"batching": "array", "answer": answer, "answers": saying(body, 422)}
        async with receiver(serve, **settings) as (served, received):
            rejected = await reasons(served, "add", sync(person(1), person(2)))

        assert rejected == {1: "VENDOR_REJECTED: the vendor refused the row: no"}
        assert len(received.requests) == 1

    async def test_a_single_row_may_be_refused_by_its_answer(self, serve):
        """Some say 200 and mean no."""

        def answer(arrived: Arrived) -> web.Response:
            return web.json_response({"error": "no" if arrived.body["id"] == 2 else None})

        settings = {"answer": {"rows": {"at": "", "message": "/error"}}, "answers": answer}
        async with receiver(serve, **settings) as (served, _):
            rejected = await reasons(served, "add", sync(person(1), person(2)))

        assert rejected == {2: "VENDOR_REJECTED: the vendor refused the row: no"}

    async def test_nothing_of_the_rows_is_told(self, serve):
        """Whatever the receiver quotes."""

        def answer(arrived: Arrived) -> web.Response:
            errors = [
                {"index": n, "why": {"row": one, "because": "hunter2@example.com is bad"}}
                for n, one in enumerate(arrived.body)
            ]
            return web.json_response({"errors": errors})

        settings = {"batching": "array", "answer": BY_INDEX, "answers": answer}
        async with receiver(serve, **settings) as (served, _):
            rejected = await reasons(served, "add", sync(person("hunter2", first_name="hunter2")))

        assert "hunter2" not in rejected["hunter2"]
        assert "because" in rejected["hunter2"]

    async def test_the_stand_in_refuses_rows_alone(self, serve):
        """It applies the others and says which it did not; nothing is sent a second time."""
        kept = StandIn(token="r" * 20, results=True, wrapper="people")
        async with stand_in(serve, kept=kept) as (served, ask):
            rows = [person(n) for n in range(50)]
            for culprit in (13, 37):
                rows[culprit]["first_name"] = "x" * (NAME_LENGTH + 1)

            rejected = await reasons(served, "add", sync(*rows))

            told = "the vendor refused the row: first_name is longer than 200 characters"
            assert rejected == dict.fromkeys((13, 37), f"VENDOR_REJECTED: {told}")
            assert {row["id"] for row in (await ask("rows"))["rows"]} == set(range(50)) - {13, 37}
            assert (await ask("requests"))["requests"] == 1

    async def test_a_large_answer_is_read(self, serve):
        """Ten thousand rows may each have a result."""

        def answer(arrived: Arrived) -> web.Response:
            results = [{"error": None, "note": "x" * 40} for _ in arrived.body]
            results[-1]["error"] = "too young"
            return web.json_response({"results": results})

        settings = {"batching": "array", "batch_size": 10_000, "answer": IN_ORDER}
        async with receiver(serve, answers=answer, **settings) as (served, _):
            rejected = await reasons(served, "add", sync(*(person(n) for n in range(10_000))))

        assert rejected == {9_999: "VENDOR_REJECTED: the vendor refused the row: too young"}


async def test_a_row_that_was_refused_may_be_sent_again(serve):
    """What was delivered is remembered, what was refused is not."""
    told = refusing(2, form="id")
    async with receiver(serve, batching="array", answer=BY_ID, answers=told) as (served, received):
        for _ in range(2):
            await reasons(served, "add", sync(person(1), person(2)))

    assert [[one["id"] for one in body] for body in received.bodies] == [[1, 2], [2]]
