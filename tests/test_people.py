"""The example people are what their README says: reproducible, odd, and wrong only where noted."""

import csv
import io
import json
import math
import re
import shutil
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from destination.errors import Code

PEOPLE = Path(__file__).parent.parent / "examples" / "people"
WRITTEN = ("people.csv", "people_next.csv", "rejections.csv", "sync.json")

Row = dict[str, str]
Truth = set[tuple[str, ...]]


def rows(name: str) -> list[Row]:
    """The rows of a CSV file beside the generator; line ends inside cells stay as they are."""
    with (PEOPLE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture(scope="module")
def before() -> list[Row]:
    """The first export."""
    return rows("people.csv")


@pytest.fixture(scope="module")
def after() -> list[Row]:
    """The second export."""
    return rows("people_next.csv")


@pytest.fixture(scope="module")
def truth() -> Truth:
    """What must be rejected, as (run, operation, id, code, field)."""
    return {tuple(row.values()) for row in rows("rejections.csv")}


def fault(row: Row) -> tuple[str, str] | None:
    """Why a receiver that is sent the row must not hold it, found without the generator's help."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", row["email"]):
        return Code.INVALID_ROW, "email"
    if row["born"] and not is_date(row["born"]):
        return Code.INVALID_ROW, "born"
    if row["ltv"] and not is_number(row["ltv"]):
        return Code.INVALID_ROW, "ltv"
    for name in ("first_name", "last_name"):
        if len(row[name]) > 200:
            return Code.VENDOR_REJECTED, name
    return None


def by_id(export: list[Row]) -> dict[str, Row]:
    """The row a receiver ends up with for each id."""
    return {row["id"]: row for row in export}


def changed_ids(before: list[Row], after: list[Row]) -> set[str]:
    """Ids in both exports whose last row differs."""
    old, new = by_id(before), by_id(after)
    return {key for key in old.keys() & new.keys() if old[key] != new[key]}


def is_date(text: str) -> bool:
    """It is a day of the calendar, as ISO 8601 writes it."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_number(text: str) -> bool:
    """JSON can carry it as a number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def faults(run: str, operation: str, sent: list[Row]) -> Truth:
    """The faults among the rows sent, in the shape of the truth."""
    found = ((row["id"], fault(row)) for row in sent)
    return {(run, operation, key, *why) for key, why in found if why}


def test_the_generator_writes_the_same_bytes_every_time(tmp_path):
    """Run anywhere, it rewrites the files beside it exactly as they are here."""
    script = shutil.copy(PEOPLE / "make_people.py", tmp_path)
    subprocess.run([sys.executable, script], check=True, timeout=60)
    assert {path.name for path in tmp_path.iterdir()} == {"make_people.py", *WRITTEN}
    for name in WRITTEN:
        assert (tmp_path / name).read_bytes() == (PEOPLE / name).read_bytes(), name


def test_the_files_have_the_numbers_of_the_readme(before, after, truth):
    """Exports and their difference are as large as the README says."""
    readme = (PEOPLE / "README.md").read_text(encoding="utf-8")
    numbers = {
        name.strip(): int(number.replace(",", ""))
        for name, number in re.findall(r"^\| ([\w ]+) \| ([\d,]+) \|$", readme, re.MULTILINE)
    }
    old, new = by_id(before), by_id(after)
    assert numbers == {
        "rows in the first export": len(before),
        "people in the first export": len(old),
        "rows in the second export": len(after),
        "new": len(new.keys() - old.keys()),
        "changed": len(changed_ids(before, after)),
        "removed": len(old.keys() - new.keys()),
        "rejected in the first run": len([line for line in truth if line[0] == "1"]),
        "rejected in the second run": len([line for line in truth if line[0] == "2"]),
    }


def test_rejections_name_rows_that_occur(before, after, truth):
    """Every rejection is of an id that was sent in its run by its operation."""
    old, new = by_id(before).keys(), by_id(after).keys()
    sent = {("1", "add"): old, ("2", "add"): new - old, ("2", "change"): new & old}
    assert len(truth) == len(rows("rejections.csv"))
    for run, operation, key, code, field in truth:
        assert key in sent[run, operation]
        assert code in set(Code)
        assert field in before[0]


def test_the_first_run_rejects_what_is_noted_and_nothing_else(before, truth):
    """Each row noted for the first run is bad in its one way; every other row is good."""
    assert faults("1", "add", before) == {line for line in truth if line[0] == "1"}


def test_the_second_run_rejects_what_is_noted_and_nothing_else(before, after, truth):
    """Of the difference, each row noted is bad in its one way; every other row is good."""
    old, changed = by_id(before), changed_ids(before, after)
    added = faults("2", "add", [row for row in after if row["id"] not in old])
    altered = faults("2", "change", [row for row in after if row["id"] in changed])
    assert added | altered == {line for line in truth if line[0] == "2"}


def test_no_row_is_bad_in_two_ways(before, after):
    """The order in which a server looks for faults cannot matter."""
    for row in [*before, *after]:
        if found := fault(row):
            mended = {**row, found[1]: "a@example.com" if found[1] == "email" else ""}
            assert fault(mended) is None


def test_changes_mend_break_and_fail_to_mend(before, after):
    """Bad rows are repaired, good ones become bad, and some stay bad although they change."""
    old, new = by_id(before), by_id(after)
    turns = Counter(
        (bool(fault(old[key])), bool(fault(new[key]))) for key in changed_ids(before, after)
    )
    assert turns == {(True, False): 18, (False, True): 6, (True, True): 6, (False, False): 90}


def test_rows_keep_their_order(before, after):
    """Who stays is unchanged and in the same place among the others; new people come last."""
    changed, stay = changed_ids(before, after), by_id(after).keys() & by_id(before).keys()
    old = [row for row in before if row["id"] in stay]
    new = [row for row in after if row["id"] in stay]
    assert [row["id"] for row in old] == [row["id"] for row in new]
    assert all(
        one == other for one, other in zip(old, new, strict=True) if one["id"] not in changed
    )
    assert after[: len(new)] == new


@pytest.mark.parametrize("name", ["people.csv", "people_next.csv", "rejections.csv"])
def test_equal_rows_are_equal_bytes(name):
    """There is one way to write each row: quotes only where needed, lines that end in one byte."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows(name)[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(name))
    assert text.getvalue().encode() == (PEOPLE / name).read_bytes()
    assert "\r" not in text.getvalue()


def test_a_removed_person_was_rejected_before(before, after):
    """Rows rejected only for a long name are among the removed; no other bad row is."""
    stay = by_id(after)
    found = [fault(row) for row in before if row["id"] not in stay]
    assert Counter(filter(None, found)) == {
        (Code.VENDOR_REJECTED, "first_name"): 1,
        (Code.VENDOR_REJECTED, "last_name"): 1,
    }


def test_ids_are_text(before, after):
    """Ids that are equal as numbers are different people, of whom one goes and others stay."""
    old, new = by_id(before).keys(), by_id(after).keys()
    assert {"7", "07", "007", "00007", "1e3", "1000", "01000"} <= old
    assert {"7", "007", "00007"} <= new
    assert "07" not in new


def test_people_who_occur_twice_are_good_and_stay(before, after):
    """Both rows of a repeated id are good and differ, so the receiver holds the later one."""
    counts = Counter(row["id"] for row in before)
    twice = {key for key in counts if counts[key] > 1}
    assert len(twice) == 5
    for key in twice:
        first, second = (row for row in before if row["id"] == key)
        assert fault(first) is fault(second) is None
        assert first["ltv"] != second["ltv"]
        assert [row for row in after if row["id"] == key] == [first, second]


def test_the_odd_names_are_there(before):
    """Names that careless code would change or trip over are among the good rows."""
    names = [row[name] for row in before if not fault(row) for name in ("first_name", "last_name")]
    for trap in (
        *(*" \n\t\"'\\,", "\u200d", "\u202e", "\u200f", "\u2028", "\u0308", "\ufeff"),
        *("{{", "{%", "<script>", "&amp;", "null", "NaN", "DROP TABLE", "ليلى", "अनन्या", "𠮷"),
    ):
        assert any(trap in name for name in names), trap
    assert any(name != name.strip() for name in names)
    assert max(map(len, names)) == 200


def test_tags_are_json_lists(before, after):
    """Tags are a list of text, an empty list or an empty cell."""
    cells = {row["tags"] for row in [*before, *after]}
    assert {"", "[]"} < cells
    for cell in cells - {""}:
        assert all(isinstance(tag, str) for tag in json.loads(cell))


def test_addresses_are_reserved_for_examples(before, after):
    """No good row has an address that may belong to somebody, and no two people share one."""
    owners = {row["email"]: row["id"] for row in [*before, *after] if not fault(row)}
    assert all(re.search(r"@example\.(com|org)$", email) for email in owners)
    for export in (before, after):
        emails = {row["id"]: row["email"] for row in export if not fault(row)}
        assert len(set(emails.values())) == len(emails)


def test_the_sync_maps_columns_that_occur(before):
    """The configuration maps every column but the id and the time to a field of its own."""
    sync = json.loads((PEOPLE / "sync.json").read_text(encoding="utf-8"))
    entries = sync["identifierMapping"] + sync["mappings"]
    assert sync["mode"] == "mirror"
    assert {entry["from"] for entry in entries} == before[0].keys() - {"id", "updated_at"}
    assert {entry["to"] for entry in entries} == {entry["from"] for entry in entries} - {"city"} | {
        "address.city"
    }
