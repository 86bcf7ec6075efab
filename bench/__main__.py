"""``python -m bench``: measures, tells, and writes ``docs/performance.md``."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.contestants import install_peers
from bench.lines import LINES, Line
from bench.machine import machine
from bench.processes import Broken
from bench.rounds import Samples, run
from bench.summary import Results

ROUNDS = 9
FAILED, USAGE, INTERRUPTED = 1, 2, 130

DESCRIPTION = """\
Measures the server beside what people would run instead: servers in Node with jayson, and
bare loops. Everything is started here and ended here; a whole run takes some five minutes.

The table of a whole run is written to docs/performance.md; with --only nothing is.
"""

EPILOG = """\
lines:
{lines}

examples:
  make bench
  make bench ARGS="--only P1,P4 --repeats 3"
  make bench ARGS="--json bench.json"

Exit codes: 0 every line is what is wanted, 1 one is not, or could not be measured, 2 usage,
130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    """What may be chosen."""
    lines = "\n".join(f"  {line.id:4} {line.what}" for line in LINES)
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description=DESCRIPTION,
        epilog=EPILOG.format(lines=lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--only", type=_lines, default=LINES, metavar="P1,P4", help="these lines")
    made.add_argument(
        "--repeats", type=_rounds, default=ROUNDS, metavar="N", help=f"rounds (default {ROUNDS})"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    return made


def _lines(text: str) -> Sequence[Line]:
    names = {each.strip().upper() for each in text.split(",")}
    known = dict.fromkeys(line.id for line in LINES)
    if unknown := sorted(names - known.keys()):
        raise argparse.ArgumentTypeError(
            f"there is no line {', '.join(unknown)}; there are {', '.join(known)}"
        )
    return tuple(line for line in LINES if line.id in names)


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number, at least 1")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    chosen = parser().parse_args(arguments)
    if not Path("/proc/self/clear_refs").exists():
        print("Processes are measured through /proc, which only Linux has.", file=sys.stderr)
        return USAGE
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends its processes all the same
    samples: Samples = {}
    try:
        install_peers()
        before = machine()
        run([*dict.fromkeys(line.trial for line in chosen.only)], chosen.repeats, samples)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        if samples:
            report.tell(Results(samples), chosen.only)
        return INTERRUPTED
    except Broken as error:
        print(f"The bench broke off: {error}", file=sys.stderr)
        return FAILED
    results = Results(samples)
    report.tell(results, chosen.only)
    if chosen.json:
        report.write_json(results, before, chosen.json)
    if chosen.only is LINES:
        command = "make bench"
        command += f' ARGS="--repeats {chosen.repeats}"' if chosen.repeats != ROUNDS else ""
        report.PAGE.write_text(report.page(results, before, command, chosen.repeats))
    return FAILED if results.missed(chosen.only) else 0


if __name__ == "__main__":
    sys.exit(main())
