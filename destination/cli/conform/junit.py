"""A run as JUnit's XML, which CI systems read."""

from collections import Counter
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

from destination.cli.conform.case import GROUPS, Outcome, Result
from destination.cli.conform.mask import Mask
from destination.cli.conform.report import told
from destination.cli.conform.run import Run

_NOT_RUN = (Outcome.SKIPPED, Outcome.OUTSIDE)


def junit(run: Run, mask: Mask) -> bytes:
    """
    A suite for each group. A must that does not hold is a failure.

    A should that does not hold is told in its case's output: JUnit knows no warnings, and good
    practice fails no build.
    """
    root = Element("testsuites", {"name": "destination conform"} | _counts(run.results))
    for letter, group in groupby(run.results, key=lambda result: result.case.id[0]):
        results = list(group)
        suite = SubElement(root, "testsuite", {"name": GROUPS[letter]} | _counts(results))
        for result in results:
            _case(suite, result, mask)
    if run.gone:
        suite = SubElement(root, "testsuite", name="Server", tests="1", failures="1", skipped="0")
        case = SubElement(suite, "testcase", name="The server answers to the end.")
        SubElement(case, "failure", message=f"It did not answer any more after {run.gone}.")
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _counts(results: list[Result]) -> dict[str, str]:
    outcomes = Counter(each.outcome for each in results)
    return {
        "tests": str(len(results)),
        "failures": str(outcomes[Outcome.FAILED]),
        "skipped": str(sum(outcomes[each] for each in _NOT_RUN)),
    }


def _case(suite: Element, result: Result, mask: Mask) -> None:
    name = f"{result.case.id} {result.case.title}"
    case = SubElement(suite, "testcase", classname=GROUPS[result.case.id[0]], name=name)
    details = "\n".join(f"{name}: {text}" for name, text in told(result, mask).items())
    if result.outcome is Outcome.FAILED:
        SubElement(case, "failure", message=mask.text(result.says)).text = details
    elif result.outcome is Outcome.WARNED:
        SubElement(case, "system-out").text = f"warning\n{details}"
    elif result.outcome in _NOT_RUN:
        SubElement(case, "skipped", message=mask.text(result.says))
