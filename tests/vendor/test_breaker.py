"""When a vendor is left alone, and when it is tried again; time and chance are arguments."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from destination.errors import (
    AuthError,
    CircuitOpen,
    Code,
    ConfigError,
    DestinationError,
    ForbiddenError,
    NoAnswer,
    RateLimited,
    RefusedError,
    TargetError,
    UnavailableError,
)
from destination.vendor.breaker import (
    CONSECUTIVE,
    FATAL,
    LONGEST_REST,
    REST,
    SAMPLE,
    SHARE,
    WINDOW,
    Breaker,
)

TAKEN = None
LOST = NoAnswer("no usable answer; may have been delivered")
DOWN = UnavailableError("not sent: could not connect to the vendor")
REFUSED = RefusedError("the vendor answered 422")
THROTTLED = RateLimited("not sent: the vendor answered 429")
DENIED = AuthError("the vendor answered 401: it refused the credentials")
FORBIDDEN = ForbiddenError("the vendor answered 403")
REDIRECTED = TargetError("the vendor answered 302", code=Code.REDIRECT_REFUSED)
NEUTRAL = [REFUSED, THROTTLED, REDIRECTED]


def breaker(random: Callable[[], float] = lambda: 0.5) -> Breaker:
    """A circuit whose rests are exactly as long as they are meant to be, but for chance."""
    return Breaker(random)


def go(circuit: Breaker, error: DestinationError | None, at: float = 0.0) -> None:
    """One request, from leave to outcome."""
    assert circuit.blocks(at) is None
    circuit.ended(error, at, circuit.begin())


def play(circuit: Breaker, errors: Iterable[DestinationError | None], at: float = 0.0) -> int:
    """Requests one after another while the circuit lets them through; how many there were."""
    count = 0
    for error in errors:
        if circuit.is_open:
            break
        go(circuit, error, at)
        count += 1
    return count


def opened(circuit: Breaker | None = None, at: float = 0.0) -> Breaker:
    """A circuit that failures in a row have just opened."""
    circuit = circuit or breaker()
    play(circuit, [DOWN] * CONSECUTIVE, at)
    assert circuit.is_open
    return circuit


class TestOpening:
    """What opens it."""

    @pytest.mark.parametrize("failure", [DOWN, LOST])
    def test_c3_ten_failures_in_a_row_open_it(self, failure: Any) -> None:
        """The tenth failure in a row opens the circuit, and no earlier one."""
        assert play(breaker(), [failure] * 50) == CONSECUTIVE == 10

    @pytest.mark.parametrize("answer", [TAKEN, *NEUTRAL])
    def test_c3_any_answer_ends_a_row_of_failures(self, answer: Any) -> None:
        """Nine failures, an answer of any kind and nine failures do not open it."""
        circuit = breaker()

        assert play(circuit, [*[DOWN] * 9, answer, *[DOWN] * 9]) == 19
        assert not circuit.is_open

    def test_c3_three_quarters_of_a_window_open_it(self) -> None:
        """Three failures of four open it at the twentieth answer, though never ten are in a row."""
        assert play(breaker(), [DOWN, DOWN, TAKEN, DOWN] * 50) == SAMPLE == 20
        assert SHARE == 0.75

    def test_c3_fewer_than_three_quarters_do_not_open_it(self) -> None:
        """Two failures of three, again and again, leave it closed."""
        assert play(breaker(), [DOWN, DOWN, TAKEN] * 500) == 1500

    def test_c3_half_flapping_does_not_open_it(self) -> None:
        """Every second request failing leaves it closed, however many there are."""
        assert play(breaker(), [DOWN, TAKEN] * 500) == 1000

    def test_c3_only_the_last_ten_seconds_count(self) -> None:
        """Failures that are older than ten seconds are forgotten."""
        circuit = breaker()
        play(circuit, ([DOWN] * 3 + [TAKEN]) * 4, at=0.0)
        assert play(circuit, [TAKEN], at=WINDOW) == 1

        assert play(circuit, ([DOWN] * 3 + [TAKEN]) * 4, at=WINDOW) == 16
        assert not circuit.is_open

    @pytest.mark.parametrize("answer", NEUTRAL)
    def test_c3_what_the_vendor_says_of_a_row_never_counts(self, answer: Any) -> None:
        """A thousand refusals, requests to slow down or redirects leave it closed."""
        assert play(breaker(), [answer] * 1000) == 1000

    def test_c3_refusals_do_not_hide_failures(self) -> None:
        """Refusals are not counted: fifteen failures of twenty open it all the same."""
        circuit = breaker()

        played = play(circuit, [TAKEN, REFUSED, DOWN, REFUSED, DOWN, REFUSED, DOWN] * 20)

        assert circuit.is_open
        assert played == 7 * (SAMPLE // 4)

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (DENIED, Code.AUTH_FAILED),
            (FORBIDDEN, Code.AUTH_FAILED),
            (ConfigError("the vendor answered 410"), Code.CONFIG_INVALID),
        ],
    )
    def test_c3_what_a_person_must_mend_opens_it_at_once(self, error: Any, code: Code) -> None:
        """Refused credentials twice in a row open it, and what is blocked is told so."""
        circuit = breaker()

        assert play(circuit, [error] * 5) == FATAL == 2
        blocked = circuit.blocks(0)
        assert type(blocked) is type(error)
        assert blocked.code is code
        assert blocked.reason.startswith(f"{code}: not sent: ")

    @pytest.mark.parametrize("between", [TAKEN, REFUSED, THROTTLED, DOWN])
    def test_one_refusal_of_the_credentials_does_not_open_it(self, between: Any) -> None:
        """Refused credentials, something else and refused credentials leave it closed."""
        assert play(breaker(), [DENIED, between, DENIED]) == 3

    def test_failures_are_told_as_an_open_circuit(self) -> None:
        """What is blocked because of failures says that it was not sent, and why."""
        blocked = opened().blocks(0)

        assert isinstance(blocked, CircuitOpen)
        assert blocked.reason.startswith("CIRCUIT_OPEN: not sent: ")


class TestResting:
    """How long it stays open."""

    @pytest.mark.parametrize(("chance", "seconds"), [(0.0, 27.0), (0.5, 30.0), (1.0, 33.0)])
    def test_c3_the_first_rest_is_half_a_minute(self, chance: float, seconds: float) -> None:
        """A rest has thirty seconds, give or take a tenth, in which nothing goes out."""
        circuit = opened(breaker(lambda: chance), at=100.0)

        assert circuit.blocks(100 + seconds - 0.01) is not None
        assert circuit.blocks(100 + seconds + 0.01) is None

    def test_c3_each_further_rest_is_twice_as_long(self) -> None:
        """Probes that fail double the rest up to five minutes."""
        circuit, at, rests = opened(), 0.0, []
        for _ in range(6):
            end = next(s for s in range(1000) if circuit.blocks(at + s + 0.001) is None)
            rests.append(float(end))
            at += end + 0.001
            go(circuit, DOWN, at)

        assert (
            rests == [REST, 60, 120, 240, LONGEST_REST, LONGEST_REST] == [30, *rests[1:4], 300, 300]
        )

    def test_after_it_closed_rests_are_short_again(self) -> None:
        """A vendor that recovered is given the first rest again when it fails anew."""
        circuit = opened()
        go(circuit, DOWN, 31)
        go(circuit, TAKEN, 31 + 61)

        opened(circuit, at=200)

        assert circuit.blocks(229) is not None
        assert circuit.blocks(231) is None

    @pytest.mark.parametrize("late", [DOWN, LOST, TAKEN, REFUSED, DENIED])
    @pytest.mark.parametrize("at", [5.0, 31.0])
    def test_what_was_under_way_when_it_opened_changes_nothing(self, late: Any, at: float) -> None:
        """A late failure does not lengthen the rest, and a late answer does not cut it short."""
        circuit = breaker()
        under_way = [circuit.begin() for _ in range(9)]
        opened(circuit)

        for began in under_way:
            circuit.ended(late, at, began)

        assert circuit.is_open
        assert circuit.blocks(29) is not None
        assert circuit.blocks(31) is None

    def test_what_was_under_way_does_not_open_it_again(self) -> None:
        """Failures from before the rest are not held against a vendor that recovered."""
        circuit = breaker()
        under_way = [circuit.begin() for _ in range(30)]
        opened(circuit)
        go(circuit, TAKEN, 31)

        for began in under_way:
            circuit.ended(DOWN, 32, began)

        assert not circuit.is_open


class TestProbing:
    """How it is found out whether the rest has helped."""

    def test_c3_one_probe_goes_out(self) -> None:
        """Of many requests after the rest the first goes out and the others are blocked."""
        circuit = opened()
        sent = 0
        for _ in range(100):
            if circuit.blocks(31) is None:
                circuit.begin()
                sent += 1

        assert sent == 1
        assert circuit.blocks(10_000) is not None

    @pytest.mark.parametrize("answer", [TAKEN, *NEUTRAL])
    def test_c3_any_answer_to_the_probe_closes_it(self, answer: Any) -> None:
        """The vendor is there again: everything may go out, and all counts are new."""
        circuit = opened()

        go(circuit, answer, 31)

        assert not circuit.is_open
        assert play(circuit, [DOWN] * 50, 31) == CONSECUTIVE

    def test_c3_a_probe_that_fails_opens_it_again(self) -> None:
        """One failure is enough after a rest."""
        circuit = opened()

        go(circuit, LOST, 31)

        assert circuit.is_open
        assert circuit.blocks(31 + 59) is not None

    def test_a_probe_with_refused_credentials_says_so(self) -> None:
        """A vendor that is back and refuses the credentials is rested for that reason."""
        circuit = opened()

        go(circuit, DENIED, 31)

        assert isinstance(circuit.blocks(32), AuthError)

    def test_c3_an_abandoned_probe_makes_room_for_another(self) -> None:
        """A probe that was given up without an outcome neither closes it nor blocks the next."""
        circuit = opened()
        began = circuit.begin()
        assert circuit.blocks(31) is not None

        circuit.abandon(began)

        assert circuit.is_open
        assert circuit.blocks(31) is None

    def test_what_is_abandoned_otherwise_frees_nothing(self) -> None:
        """A request from before the rest that is given up leaves the probe alone."""
        circuit = breaker()
        early = circuit.begin()
        opened(circuit)
        circuit.begin()

        circuit.abandon(early)

        assert circuit.blocks(31) is not None


OUTCOMES = st.sampled_from([TAKEN, DOWN, DOWN, DOWN, LOST, LOST, REFUSED, THROTTLED, DENIED])


class Requests(RuleBasedStateMachine):
    """Requests that begin and end in any order, and a plain account of them beside the circuit."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit = breaker()
        self.now = 0.0
        self.epoch = 0
        self.under_way: list[tuple[int, int]] = []
        self.answers: list[tuple[float, DestinationError | None]] = []
        self.rests_until: float | None = None

    @rule(seconds=st.sampled_from([0.1, 1.0, 9.0, 28.0, 31.0, 61.0, 301.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(count=st.integers(1, 12))
    def begin(self, count: int) -> None:
        for _ in range(count):
            if self.circuit.blocks(self.now) is None:
                self.under_way.append((self.epoch, self.circuit.begin()))

    @precondition(lambda self: self.under_way)
    @rule(outcome=OUTCOMES, count=st.integers(1, 12), data=st.data())
    def end(self, outcome: DestinationError | None, count: int, data: st.DataObject) -> None:
        for _ in range(min(count, len(self.under_way))):
            at = data.draw(st.integers(0, len(self.under_way) - 1))
            epoch, began = self.under_way.pop(at)
            self.circuit.ended(outcome, self.now, began)
            if epoch == self.epoch:
                self.account(outcome)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.under_way) - 1))
        self.circuit.abandon(self.under_way.pop(at)[1])

    def account(self, outcome: DestinationError | None) -> None:
        if self.rests_until is not None:
            fails = outcome in (DOWN, LOST, DENIED)
            self.turn(self.now + 27 if fails else None)
            return
        self.answers.append((self.now, outcome))
        told = [each for _, each in self.answers]
        window = [each for at, each in self.answers if at > self.now - 10]
        failed, counted = (
            sum(each in kinds for each in window) for kinds in ((DOWN, LOST), (DOWN, LOST, TAKEN))
        )
        reasons = [each for each in told if each is not DENIED]
        in_a_row = len(reasons) >= 10 and all(each in (DOWN, LOST) for each in reasons[-10:])
        often = outcome in (DOWN, LOST) and counted >= 20 and failed >= 0.75 * counted
        if (outcome is not DENIED and in_a_row) or often or told[-2:] == [DENIED, DENIED]:
            self.turn(self.now + 27)

    def turn(self, rests_until: float | None) -> None:
        self.rests_until = rests_until
        self.epoch += 1
        self.answers = []

    @invariant()
    def it_is_open_when_the_account_says_so(self) -> None:
        assert self.circuit.is_open is (self.rests_until is not None)

    @invariant()
    def a_rest_is_a_rest(self) -> None:
        if self.rests_until is not None and self.now < self.rests_until:
            assert self.circuit.blocks(self.now) is not None

    @invariant()
    def one_probe_at_a_time(self) -> None:
        probes = [epoch for epoch, _ in self.under_way if epoch == self.epoch]
        if self.rests_until is not None:
            assert len(probes) <= 1
            assert probes == [] or self.circuit.blocks(self.now + 1000) is not None
            assert probes or self.circuit.blocks(self.now + 1000) is None
        else:
            assert self.circuit.blocks(self.now) is None


def test_c3_whatever_ends_when() -> None:
    """In any order one probe goes out, a rest is a rest, and it opens when a plain account does."""
    run_state_machine_as_test(Requests, settings=settings(deadline=None))
