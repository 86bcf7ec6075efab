"""Which rows an otherwise good answer refused, and which answers do not tell."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from destination.errors import Code
from destination.model import Record
from destination.spec.results import RowResults, UnclearError, found, refusals, refused_row, worded


def records(*ids: Any, **columns: Sequence[Any]) -> list[Record]:
    """Records with these ids, each with its value of each column."""
    rows = [{name: column[n] for name, column in columns.items()} for n in range(len(ids))]
    return [Record(n, id, row, row) for n, (id, row) in enumerate(zip(ids, rows, strict=True))]


def refused(results: Mapping[str, Any], body: Any, sent: Sequence[Record]) -> Mapping[int, str]:
    """What the answer refuses, each record being a payload of its own."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = httpx.Response(200, content=content)
    return refusals(RowResults(**results), response, [[record] for record in sent])


BY_INDEX = {"at": "/errors", "index": "/index", "message": "/why"}
BY_ID = {"at": "/errors", "id": "/key", "message": "/why"}
IN_ORDER = {"at": "/results", "message": "/error"}
SENT = records("a", "b", 7)


class TestByIndex:
    """A result names its row by the position in the request."""

    def test_those_that_are_named_are_refused(self):
        """With the vendor's words for each, and nobody else."""
        body = {"errors": [{"index": 2, "why": "too old"}, {"index": 0, "why": {"a": ["b", "c"]}}]}

        assert refused(BY_INDEX, body, SENT) == {2: "too old", 0: "a: b; c"}

    def test_a_result_without_a_message_is_none_of_a_failure(self):
        """A vendor may tell of every row, and of some why they failed."""
        body = {"errors": [{"index": 0, "why": None}, {"index": 1, "why": "no"}, {"index": 9}]}

        assert refused(BY_INDEX, body, SENT) == {1: "no"}

    @pytest.mark.parametrize("why", [[[[["deep"]]]], [None], {"code": None}, " ", True, 5])
    def test_what_stands_at_the_message_is_a_failure_without_words_too(self, why: Any):
        """Something stands there, so the row was refused; what it says may not be readable."""
        assert refused(BY_INDEX, {"errors": [{"index": 1, "why": why}]}, SENT).keys() == {1}

    def test_without_a_message_each_result_is_a_failure(self):
        """The list itself is the list of what failed."""
        results = {"at": "/failed", "index": ""}

        assert refused(results, {"failed": [1, 2]}, SENT) == {1: "", 2: ""}

    def test_a_single_result_needs_no_list(self):
        """One object stands for a list of one."""
        assert refused(BY_INDEX, {"errors": {"index": 1, "why": "no"}}, SENT) == {1: "no"}

    @pytest.mark.parametrize("index", [3, -1, 10**30, 1.0, "1", True, None, [1], {}])
    def test_a_position_that_was_not_sent_leaves_all_open(self, index: Any):
        """Who refuses what it was not sent may have mistaken one row for another."""
        with pytest.raises(UnclearError, match="refuses a row that was not sent"):
            refused(BY_INDEX, {"errors": [{"index": index, "why": "no"}]}, SENT)


class TestById:
    """A result names its row by an id, or by the value of a field."""

    def test_rows_are_known_by_their_ids(self):
        """A number and its text are the same to a vendor that writes JSON its own way."""
        body = {"errors": [{"key": "B", "why": "no"}, {"key": "7", "why": "old"}]}

        assert refused(BY_ID, body, SENT) == {1: "no", 2: "old"}
        assert refused(BY_ID, {"errors": [{"key": 7.0, "why": "no"}]}, SENT) == {2: "no"}

    def test_rows_are_known_by_a_field(self):
        """Letters of an address may come back in another case."""
        sent = records(1, 2, email=["Ann@example.com", "bea@example.com"])
        body = {"errors": [{"key": "ANN@EXAMPLE.COM", "why": "no"}]}

        assert refused(BY_ID | {"field": "email"}, body, sent) == {0: "no"}

    def test_rows_of_one_id_share_their_fate(self):
        """A refusal of an id is one of every payload that has it."""
        sent = records(1, 2, 3, email=["a@b.c", "x@y.z", "A@b.c"])
        body = {"errors": [{"key": "a@b.c", "why": "no"}]}

        assert refused(BY_ID | {"field": "email"}, body, sent).keys() == {0, 2}

    def test_a_list_of_ids_will_do(self):
        """The results may be the ids themselves."""
        assert refused({"at": "/failed", "id": ""}, {"failed": ["a"]}, SENT) == {0: ""}

    @pytest.mark.parametrize("key", [None, "", "z", True, [], ["a"], {"a": 1}])
    def test_an_id_that_was_not_sent_leaves_all_open(self, key: Any):
        """Also one that is missing, while a row has none either."""
        sent = [*records("a"), *records("x", email=[None])]

        with pytest.raises(UnclearError):
            refused(BY_ID, {"errors": [{"key": key, "why": "no"}]}, sent)
        with pytest.raises(UnclearError):
            refused(BY_ID | {"field": "email"}, {"errors": [{"key": key, "why": "no"}]}, sent)

    def test_a_group_is_refused_whole(self):
        """Whichever of its records is named."""
        one, two, other = records("a", "b", "c")
        response = httpx.Response(200, json={"errors": [{"key": "b", "why": "no"}]})

        assert refusals(RowResults(**BY_ID), response, [[one, two], [other]]) == {0: "no"}


class TestInOrder:
    """There is a result for each row, in the rows' order."""

    def test_those_with_a_message_are_refused(self):
        """The others were taken."""
        body = {"results": [{"ok": 1}, {"error": "no"}, {"error": None}]}

        assert refused(IN_ORDER, body, SENT) == {1: "no"}

    def test_a_result_may_be_its_message(self):
        """Null or an empty text is none."""
        body = [None, "too old", ""]

        assert refused({"at": "", "message": ""}, body, SENT) == {1: "too old"}

    def test_a_request_of_one_row_has_one_result(self):
        """The answer itself may be it."""
        results = {"at": "", "message": "/error"}

        assert refused(results, {"ok": True}, SENT[:1]) == {}
        assert refused(results, {"error": "no"}, SENT[:1]) == {0: "no"}

    @pytest.mark.parametrize("count", [0, 1, 2, 4])
    def test_another_number_of_results_leaves_all_open(self, count: int):
        """It cannot be known which row a result is about."""
        with pytest.raises(UnclearError):
            refused(IN_ORDER, {"results": [{}] * count}, SENT)


class TestOtherAnswers:
    """An answer of another shape does not say what was taken."""

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"OK",
            b"<html>",
            b"\xff",
            b'{"errors": ["\xff"]}',
            b"{",
            b"[" * 100_000,
            b'{"errors":' * 5_000,
            b"1" * 5_000,
            b"1e999",
            b"NaN",
            b'"\\ud800"',
        ],
    )
    def test_what_is_no_json_tells_nothing(self, body: bytes):
        """Whatever the status said, the rows may have been delivered."""
        with pytest.raises(UnclearError) as raised:
            refused(BY_INDEX, body, SENT)

        assert raised.value.code is Code.OUTCOME_UNKNOWN
        assert raised.value.message == (
            "the vendor's answer does not say which rows it took: it is not JSON; "
            "may have been delivered"
        )

    @pytest.mark.parametrize("results", [BY_INDEX, BY_ID])
    @pytest.mark.parametrize("body", [{}, {"errors": None}, {"errors": []}, {"accepted": 3}])
    def test_an_object_without_refusals_refuses_nothing(self, results: Any, body: Any):
        """Vendors leave an empty list out."""
        assert refused(results, body, SENT) == {}

    @pytest.mark.parametrize("results", [BY_INDEX, BY_ID, IN_ORDER | {"at": "/errors"}])
    @pytest.mark.parametrize(
        "body",
        [
            None,
            [],
            "errors",
            5,
            True,
            [{"errors": []}],
            {"errors": "no"},
            {"errors": 3},
            {"errors": True},
            {"errors": [None]},
            {"errors": ["a", "b", "c"]},
            {"errors": [1, 2, 3]},
        ],
    )
    def test_any_other_shape_leaves_all_open(self, results: Any, body: Any):
        """An answer that cannot hold what was declared is one of something else."""
        with pytest.raises(UnclearError):
            refused(results, body, SENT)

    @pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, {"data": "x"}])
    def test_what_leads_to_the_results_must_be_there(self, body: Any):
        """Only the list itself may be left out."""
        with pytest.raises(UnclearError):
            refused(BY_INDEX | {"at": "/data/errors"}, body, SENT)
        assert refused(BY_INDEX | {"at": "/data/errors"}, {"data": {}}, SENT) == {}

    @settings(deadline=None)
    @given(
        st.sampled_from([BY_INDEX, BY_ID, IN_ORDER, {"at": "", "index": ""}]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["errors", "results", "index", "key", "why", "error", "-"]),
                    inner,
                )
            ),
        ),
    )
    def test_no_answer_makes_another_failure(self, results: Any, body: Any):
        """Whatever comes back, rows that were sent are refused, or nothing is known."""
        try:
            positions = refused(results, body, SENT)
        except UnclearError:
            return
        assert positions.keys() <= {0, 1, 2}


class TestWords:
    """The vendor's words as a reason shows them."""

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (" too old ", "too old"),
            (["a", None, "", "b"], "a; b"),
            ({"email": ["is bad", "is long"], "n": 5, "x": {}}, "email: is bad; is long; n: 5"),
            ([{"message": "a"}, {"message": "b"}], "message: a; message: b"),
            (True, "true"),
            (1.50, "1.5"),
            (None, ""),
            (False, ""),
            ([[[["deep"]]]], ""),
        ],
    )
    def test_texts_are_put_together(self, value: Any, words: str):
        """Of lists and objects up to three levels."""
        assert worded(value) == words

    def test_a_reason_shows_nothing_of_the_row(self):
        """What the vendor quotes is replaced by the column's name."""
        [record] = records(1, email=["ann@example.com"])

        error = refused_row("ann@example.com is blocked", record)

        assert error.message == "the vendor refused the row: [email] is blocked"
        assert refused_row("", record).message == "the vendor refused the row"

    @pytest.mark.parametrize(
        ("pointer", "document"),
        [("/a/0", "x"), ("/a", [1]), ("/0", {"a": 1}), ("/a/b", {"a": 5}), ("/x/y/z", None)],
    )
    def test_a_pointer_to_nothing_is_none(self, pointer: str, document: Any):
        """Whatever stands on the way."""
        assert found(document, pointer) is None


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"at": "errors"}, "is no JSON Pointer such as /errors/0"),
        ({"at": "/a~2", "index": "/i"}, "is no JSON Pointer"),
        ({"at": "/e", "index": "/i", "id": "/i"}, "by index or by id, not by both"),
        ({"at": "/e"}, "results in order need a message"),
        ({"at": "/e", "index": "/i", "field": "email"}, "field is what id is compared with"),
        ({"index": "/i"}, "at\n  Field required"),
    ],
)
def test_a_mistake_is_told_when_it_is_written(settings: dict[str, Any], problem: str):
    """Not when the first answer comes."""
    with pytest.raises(ValidationError, match=problem):
        RowResults.model_validate(settings)
