"""
Writes the people beside it: two states of a table, the sync that delivers it, and the truth.

It has no input and no randomness but a fixed seed, so it writes the same bytes every time.
Every person who must be rejected is made so on purpose, one fault each, and noted.
"""

import csv
import io
import json
import random
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Row = dict[str, str]

COLUMNS = (
    *("id", "email", "first_name", "last_name", "born"),
    *("ltv", "subscribed", "tags", "city", "updated_at"),
)
PEOPLE, TWICE = 1_995, 5
NEW, CHANGED, REMOVED = 60, 120, 50
FIRST_EXPORT, SECOND_EXPORT = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 6, 8, tzinfo=UTC)

FIRST_NAMES = """
    Ada Amélie Anaïs Beatriz Björn Božena Camille Chloé Dagný Dmitri Elif Emeka Fátima François
    Giulia Grace Hedda Hugo Ingrid İpek João Jürgen Kateřina Katherine Łukasz Leïla Linus Małgorzata
    Mary Miloš Naoko Nils Niamh Olga Oisín Pelle Priya Quentin Rosa Søren Siobhán Tariq Thu Uwe
    Václav Wanjiru Xavier Yusuf Zoë Žofia
"""
LAST_NAMES = """
    Abebe Almeida Bergström Björnsdóttir Castañeda Çelik D'Angelo Dubois Dvořák Fernández Fitzgerald
    Grünwald Guðmundsson Hopper Ibáñez Jørgensen Kaczmarek Kowalczyk Krüger Lovelace Mäkinen Müller
    Nguyễn Novák O'Neil O'Sullivan Okafor Østergaard Patel Peña Quispe Rossi Sánchez Schäfer Silva
    Smith Takahashi Torvalds Ünal Varga Weiß Wójcik Yılmaz Zając
"""
CITIES = (
    *("Ulm", "Zürich", "São Paulo", "İstanbul", "Saint-Étienne", "Reykjavík", "København"),
    *("L'Aquila", "New York, NY", "東京", "Київ", "القاهرة", "Llanfairpwllgwyngyll", ""),
)
TAGS = ("vip", "trial", "newsletter", "früh dran", "a,b", 'says "hi"', "back\\slash", "日本", "🎂")


def long_name(part: str, length: int) -> str:
    """A name of exactly that many characters."""
    return (part * length)[:length]


# fmt: off
ODD_NAMES = (
    # scripts
    ("Анна", "Каренина"), ("Οδυσσέας", "Ελύτης"), ("ნინო", "აბაშიძე"), ("Արամ", "Խաչատրյան"),
    ("ליאור", "כהן"), ("ليلى", "المصري"), ("مریم", "میرزاخانی"), ("अनन्या", "शर्मा"),
    ("நிலா", "முருகன்"), ("สมชาย", "ใจดี"), ("አበበ", "ቢቂላ"), ("ᐊᓇᓇ", "ᓄᓇᕗᑦ"), ("𝔄𝔡𝔞", "𓀀𓂀"),
    ("美咲", "高橋"), ("𠮷野", "髙島"), ("지우", "김"), ("小龍", "李"), ("ꦗꦮ", "ߒߞߏ"),
    # characters that are not what they seem
    ("Zoe\u0308", "Ame\u0301lie"), ("Z\u0351\u036ba\u0353\u0302lgo\u0321\u0334", "H\u0321e"),
    ("נֹעָה\u200f", "\u202eelihw a rof sdrawkcab\u202c"), ("می\u200cخواهم", "क\u094d\u200dष"),
    ("Ze\u200bro", "Wi\u2060dth"), ("No\u00a0Break", "Line\u2028Separator"), ("\ufeffMark", "K"),
    # emoji
    ("👩\u200d👩\u200d👧\u200d👦", "Family"), ("👩🏽\u200d🚀", "🏳\ufe0f\u200d🌈"),
    ("🇪🇸", "1\ufe0f\u20e3"), ("Zo🎈e\u0308", "❤\ufe0f\u200d🔥"), (long_name("🎈", 200), "Balloons"),
    # spaces and line ends
    ("  Ada  ", " Lovelace"), ("Trailing ", "\tTab"), ("Line\nBreak", "Two\n\nBreaks\n"),
    # quotes, commas, backslashes
    ('"', '""'), ('Dwayne "The Rock"', "Johnson, Jr."), ("'Single'", "`Back`"), (",", ";"),
    ("C:\\temp\\new", "\\"), ("\\n", "\\u0041\\x41"), ('\\"', '",\n"'),
    # names that something might execute
    ("<b>Bold</b>", "<script>alert(1)</script>"), ("&amp;", "&lt;&#39;"), ("<!--", "]]>"),
    ("{{ email }}", "{% assign x = 1 %}"), ("{{ 'a' | upcase }}", "}}{{"), ("{%", "%}"),
    ("Robert'); DROP TABLE people;--", "Tables"), ("${HOME}", "$(id)"), ("%s%n", "%00"),
    ("=1+1", "@SUM(A1)"), ("<!channel>", "@here"), ("*bold*", "_it_ ~st~"), ("../..", "?a=b&c#d"),
    # names that look like something else
    ("null", "None"), ("true", "NaN"), ("0", "-1"), ("undefined", "#N/A"), ("[]", "{}"),
    ("1990-04-01", "1e3"), ("A", ""), ("", "Mononym"), ("", ""), ("-", "."),
    # just short enough
    (long_name("Anne-Marie-", 200), "Short"), ("Short", long_name("Żółć-", 200)),
)
# fmt: on
ODD_IDS = ("7", "07", "007", "1e3", "1000", "-1", "A-17/b", "N°5", "0x1F", "18446744073709551616")


@dataclass(frozen=True)
class Fault:
    """A way to be rejected: what is put into which column, and the code it is rejected with."""

    column: str
    code: str
    values: tuple[str, ...]
    first_run: int

    def spoil(self, row: Row, number: int) -> Row:
        """The row with this as its only fault."""
        return {**row, self.column: self.values[number % len(self.values)]}


MISSING = Fault("email", "INVALID_ROW", ("",), 10)
MALFORMED = Fault(
    *("email", "INVALID_ROW"),
    ("ada.example.com", "ada@", "@example.com", "ada lovelace@example.com", "ada@@example.com"),
    first_run=9,
)
NO_DATE = Fault(
    *("born", "INVALID_ROW"),
    ("31/02/1990", "1990-02-30", "1991-02-29", "1990-13-01", "soon", "0000-00-00"),
    first_run=9,
)
NO_NUMBER = Fault(
    *("ltv", "INVALID_ROW"), ("n/a", "twelve", "1.2.3", "12,50 €", "NaN", "--5"), first_run=8
)
LONG_FIRST_NAME = Fault(
    *("first_name", "VENDOR_REJECTED"),
    (long_name("Anne-Marie-", 201), long_name("🎈", 201), long_name("Hubert Blaine ", 5_000)),
    first_run=5,
)
LONG_LAST_NAME = Fault(
    *("last_name", "VENDOR_REJECTED"),
    (long_name("Żółć-", 201), long_name("Wolfeschlegelstein", 250), long_name("李", 1_000)),
    first_run=5,
)
FAULTS = (MISSING, MALFORMED, NO_DATE, NO_NUMBER, LONG_FIRST_NAME, LONG_LAST_NAME)

Truth = dict[str, Fault]
"""By id, the fault of each row that must be rejected."""


class Dice:
    """Choices that are the same in every version of Python: only ``random()`` is promised to be."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 -- fake people, not secrets

    def below(self, end: int) -> int:
        return int(self._random.random() * end)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        return [item for _, item in sorted((self._random.random(), item) for item in items)]


def person(dice: Dice, number: int, first_name: str, last_name: str) -> Row:
    """A person without a fault, whose id has leading zeros."""
    moment = FIRST_EXPORT - timedelta(seconds=1 + dice.below(200 * 86_400))
    return {
        "id": f"{number:05d}",
        "email": address(first_name, last_name, number),
        "first_name": first_name,
        "last_name": last_name,
        "born": str(date(1930, 1, 1) + timedelta(days=dice.below(80 * 365))),
        "ltv": money(dice),
        "subscribed": dice.pick(("true", "false", "true", "false", "")),
        "tags": tags(dice),
        "city": dice.pick(CITIES),
        "updated_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    }


def ordinary_name(dice: Dice) -> tuple[str, str]:
    """A first and a last name in Latin letters, many with accents."""
    return dice.pick(FIRST_NAMES.split()), dice.pick(LAST_NAMES.split())


def address(first_name: str, last_name: str, number: int) -> str:
    """A plain address at a domain reserved for examples."""
    name = unicodedata.normalize("NFKD", f"{first_name}.{last_name}").encode("ascii", "ignore")
    if not re.fullmatch(r"[a-z']{2,}\.[a-z']{2,}", local := name.decode().lower()):
        return f"person.{number}@example.org"
    return f"{local}.{number}@example.com" if number % 5 else f"{local}+{number}@example.org"


def money(dice: Dice) -> str:
    """An amount as text: often with cents, sometimes whole, negative or missing."""
    cents = dice.below(500_000)
    amount = f"{cents // 100}.{cents % 100:02d}"
    return dice.pick((amount, amount, amount, amount, f"-{amount}", str(cents), "0", ""))


def tags(dice: Dice) -> str:
    """A JSON list as text, or an empty cell."""
    chosen = dice.shuffled(TAGS)[: dice.below(4)]
    return (
        "" if dice.below(8) == 0 else json.dumps(chosen, ensure_ascii=False, separators=(",", ":"))
    )


def first_people(dice: Dice) -> tuple[list[Row], Truth]:
    """Everybody once, odd names and odd ids among them, some with a fault."""
    ordinary = PEOPLE - len(ODD_NAMES)
    names = [ordinary_name(dice) for _ in range(ordinary)]
    people = [
        person(dice, n, *name) for n, name in enumerate(dice.shuffled([*names, *ODD_NAMES]), 1)
    ]
    for odd_id, place in zip(ODD_IDS, dice.shuffled(range(PEOPLE)), strict=False):
        people[place]["id"] = odd_id
    truth: Truth = {}
    faults = [(fault, number) for fault in FAULTS for number in range(fault.first_run)]
    plain = [place for place, row in enumerate(people) if is_plain(row)]
    for place, (fault, number) in zip(dice.shuffled(plain), faults, strict=False):
        people[place] = fault.spoil(people[place], number)
        truth[people[place]["id"]] = fault
    return people, truth


def is_plain(row: Row) -> bool:
    """Neither name nor id is there for its oddity."""
    return row["email"].endswith("@example.com") and row["id"] not in ODD_IDS


def repeated(dice: Dice, people: list[Row], ids: Sequence[str]) -> list[Row]:
    """The people, where those with these ids come once more further down, richer by then."""
    rows = list(people)
    for key in ids:
        place = next(place for place, row in enumerate(rows) if row["id"] == key)
        again = {**rows[place], "ltv": f"{9_000 + dice.below(999)}.99"}
        rows.insert(place + 1 + dice.below(len(rows) - place), again)
    return rows


def changed(dice: Dice, row: Row) -> Row:
    """The row with one more thing known, and none of its faults mended."""
    column = dice.pick(("ltv", "subscribed", "city", "tags"))
    now = {
        "ltv": f"{10_000 + dice.below(999)}.50",
        "subscribed": "false" if row["subscribed"] == "true" else "true",
        "city": dice.pick([city for city in CITIES if city != row["city"]]),
        "tags": '["changed"]',
    }
    if row["ltv"] in NO_NUMBER.values:
        column = "city"
    return touched(dice, {**row, column: now[column]})


def touched(dice: Dice, row: Row) -> Row:
    """The row as updated between the two exports."""
    moment = FIRST_EXPORT + timedelta(seconds=dice.below(7 * 86_400))
    return {**row, "updated_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}


@dataclass
class Week:
    """What happens to the people between the two exports."""

    changes: dict[str, Row]
    removed: set[str]
    new: list[Row]
    wrong_changes: Truth
    wrong_new: Truth


def a_week(dice: Dice, people: list[Row], truth: Truth, untouchable: set[str]) -> Week:
    """Of each fault three are repaired and one is changed in vain; some good people go bad."""
    by_id = {row["id"]: row for row in people}
    week = Week({"7": changed(dice, by_id["7"])}, {"07"}, [], {}, {})
    for fault in FAULTS:
        *repaired, in_vain, gone = [key for key in truth if truth[key] is fault][:5]
        for key in repaired:
            week.changes[key] = touched(dice, mended(by_id[key], fault))
        week.changes[in_vain] = changed(dice, by_id[in_vain])
        week.wrong_changes[in_vain] = fault
        if fault.code == "VENDOR_REJECTED":
            week.removed.add(gone)
    good = (key for key in by_id if key not in truth and key not in untouchable)
    rest = iter(dice.shuffled(good))
    for fault, key in zip(FAULTS, rest, strict=False):
        week.changes[key] = touched(dice, fault.spoil(by_id[key], number=1))
        week.wrong_changes[key] = fault
    for key in islice(rest, CHANGED - len(week.changes)):
        week.changes[key] = changed(dice, by_id[key])
    week.removed.update(islice(rest, REMOVED - len(week.removed)))
    week.new, week.wrong_new = newcomers(dice)
    return week


def mended(row: Row, fault: Fault) -> Row:
    """The row without its fault."""
    good = {"email": f"mended.{row['id']}@example.org", "born": "1990-02-28", "ltv": "12.50"}
    return {**row, fault.column: good.get(fault.column, "Ada")}


def newcomers(dice: Dice) -> tuple[list[Row], Truth]:
    """New people, some with odd names, one with each fault."""
    names = [ordinary_name(dice) for _ in range(NEW - 10)]
    names += dice.shuffled(ODD_NAMES)[:10]
    rows = [touched(dice, person(dice, PEOPLE + n, *name)) for n, name in enumerate(names, 1)]
    for place, fault in enumerate(FAULTS):
        rows[place * 8] = fault.spoil(rows[place * 8], number=2)
    return rows, {rows[place * 8]["id"]: fault for place, fault in enumerate(FAULTS)}


def next_people(rows: list[Row], week: Week) -> list[Row]:
    """The rows a week later, in their order, with the new people at the end."""
    kept = [week.changes.get(row["id"], row) for row in rows if row["id"] not in week.removed]
    return kept + week.new


def rejections(truth: Truth, rows: list[Row], week: Week) -> list[Row]:
    """Exactly what must be rejected when all is sent first, and then the difference."""
    first = [("1", "add", row["id"], truth[row["id"]]) for row in rows if row["id"] in truth]
    new = [("2", "add", *wrong) for wrong in week.wrong_new.items()]
    again = [("2", "change", *wrong) for wrong in week.wrong_changes.items()]
    return [
        {"run": run, "operation": operation, "id": key, "code": fault.code, "field": fault.column}
        for run, operation, key, fault in [*first, *new, *again]
    ]


def sync() -> dict[str, object]:
    """The configuration as the platform stores it."""
    columns = ("first_name", "last_name", "born", "ltv", "subscribed", "tags")
    return {
        "mode": "mirror",
        "identifierMapping": [{"from": "email", "to": "email"}],
        "mappings": [
            *({"from": column, "to": column} for column in columns),
            {"from": "city", "to": "address.city"},
        ],
        "customMappings": [],
    }


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """CSV with quotes only where they are needed, and lines that end in one character."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def files() -> dict[str, str]:
    """The files by name."""
    dice = Dice(seed=1843)
    people, truth = first_people(dice)
    good = [row["id"] for row in people[: PEOPLE // 2] if row["id"] not in truth and is_plain(row)]
    twice = dice.shuffled(good)[:TWICE]
    rows = repeated(dice, people, twice)
    week = a_week(dice, people, truth, untouchable={*twice, *ODD_IDS})
    return {
        "people.csv": table(rows, COLUMNS),
        "people_next.csv": table(next_people(rows, week), COLUMNS),
        "rejections.csv": table(
            rejections(truth, rows, week), ("run", "operation", "id", "code", "field")
        ),
        "sync.json": json.dumps(sync(), indent=2) + "\n",
    }


if __name__ == "__main__":
    for name, text in files().items():
        Path(__file__).with_name(name).write_text(text, encoding="utf-8", newline="\n")
