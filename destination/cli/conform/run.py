"""One case after the other, whatever the server does."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from destination.cli.conform.case import Case, Needs, Outcome, Outside, Result
from destination.cli.conform.server import Server
from destination.cli.conform.verdict import Level, NotJudged, Unmet
from destination.cli.conform.wire import NoAnswer


@dataclass(slots=True)
class Run:
    """
    The results so far.

    Args:
        gone: The id of the case after which the server did not answer any more.
    """

    results: list[Result] = field(default_factory=list)
    gone: str = ""

    @property
    def holds(self) -> bool:
        """Whether no must failed, and the server lives."""
        return not self.gone and all(each.outcome != Outcome.FAILED for each in self.results)


async def conform(
    run: Run, cases: Iterable[Case | Outside], server: Server, told: Callable[[Result], None]
) -> None:
    """Run the cases; each result is added to the run and told at once, so that it can be ended."""
    for case in cases:
        result = await _result(case, server, run.gone)
        unanswered = isinstance(result.came, str) and result.came
        if unanswered and not run.gone and not await server.is_there():
            run.gone = case.id
        run.results.append(result)
        told(result)


async def _result(case: Case | Outside, server: Server, gone: str) -> Result:
    if isinstance(case, Outside):
        return Result(case, Outcome.OUTSIDE, case.why)
    if lacks := _lacks(case, server):
        return Result(case, Outcome.SKIPPED, lacks)
    if gone:
        return Result(case, Outcome.SKIPPED, f"The server did not answer any more after {gone}.")
    return await _judged(case, server)


def _lacks(case: Case, server: Server) -> str:
    """What is not given that the case needs."""
    given = server.given
    has = {
        Needs.NOTHING: True,
        Needs.SECRET: bool(given.headers),
        Needs.CONFIGURATION: given.configuration is not None,
        Needs.ROWS: bool(given.rows),
    }
    return "" if has[case.needs] else f"Not asked for: {case.needs}."


async def _judged(case: Case, server: Server) -> Result:
    try:
        await case.judge(server)
    except NotJudged as reason:
        return Result(case, Outcome.SKIPPED, str(reason))
    except Unmet as unmet:
        outcome = _outcome(unmet.level or case.level)
        return Result(case, outcome, str(unmet), unmet.answer.sent, unmet.answer)
    except NoAnswer as silence:
        return Result(case, _outcome(case.level), "an answer", silence.sent, str(silence))
    except Exception:  # noqa: BLE001 - no answer ends the run, however odd it is
        latest = server.latest
        sent, came = (latest.sent, latest) if latest else (None, "")
        return Result(case, _outcome(case.level), "an answer that can be read", sent, came)
    return Result(case, Outcome.PASSED)


def _outcome(level: Level) -> Outcome:
    return Outcome.FAILED if level is Level.MUST else Outcome.WARNED
