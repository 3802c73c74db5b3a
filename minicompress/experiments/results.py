"""What was measured, kept with the package: tables without running anything, and the README's own."""

import hashlib
import json
import re
import subprocess
import tempfile
from datetime import date
from pathlib import Path

import minicompress
from minicompress import atomic
from minicompress.columns import table
from minicompress.recipes.lab import Lab

from .reproduce import claims

REPORTS = Path(minicompress.__file__).parent / "reports"
MARK = re.compile(r"(<!-- results ([^>]*?) -->\n).*?(<!-- end -->)", re.DOTALL)
KEYS = """\
The JSON report has the key results: for each claim name, seeds, measured (per
quantity median, least, most, values), hardware, version, commit, date,
transcribed (copied from an earlier table) and bits (a hash of a short training).
"""


def reports(names=()):
    """The kept reports of these claims, of all for none, in their order; what was never measured is left out.

    A report has name, seeds, measured ({quantity: median, least, most, values}), hardware, versions, commit, date,
    transcribed (whether it was copied from an earlier table, by hand) and bits (see `bits`).

    >>> reports(["lenet-5"])[0]["measured"]["error"]["median"] < 0.0074
    True
    """
    paths = [REPORTS / f"{name}.json" for name in names or claims()]
    return [json.loads(path.read_text("utf-8")) for path in paths if path.exists()]


def record(report):
    """Keep a report of `reproduce` with the package; returns the file's path."""
    name = report["name"]
    kept = {"name": name, "seeds": report["seeds"], "measured": report["measured"], "hardware": report["hardware"],
            "version": minicompress.__version__, "commit": _commit(), "date": date.today().isoformat(),
            "transcribed": False, "bits": bits(name)}
    with atomic.replacing(REPORTS / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return REPORTS / f"{name}.json"


def _commit():
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPORTS, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def bits(name):
    """A hash of the files that an experiment writes in a short lab; None for a benchmark, which trains nothing.

    It differs where a change touches what the row computes, on a machine that rounds otherwise, and with another number
    of BLAS threads than the report says (one).
    """
    claim = claims()[name]
    if claim.table:
        return None
    with tempfile.TemporaryDirectory() as folder:
        claim.run(Lab(0, folder, short=True, progress=False))
        files = sorted(Path(folder).rglob("*.mcz"))
        digest = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files))
    return digest.hexdigest()[:16]


def stale(names=()):
    """The names of the claims whose short training no longer gives the bits that stand in their reports."""
    return [report["name"] for report in reports(names) if report["bits"] and report["bits"] != bits(report["name"])]


# ---------------------------------------------------------------------------------------------------------------------
# Tables


def _spread(quantity, measured):
    """``median (least–most)``, the spread left out where it says nothing."""
    median, least, most = (quantity.unit(measured[key]) for key in ("median", "least", "most"))
    if least == most:
        return median
    unit = next((unit for unit in (" %", "×") if least.endswith(unit)), "")
    return f"{median} ({least.removesuffix(unit)}–{most.removesuffix(unit)})"


def _met(quantity, measured):
    return {None: "", True: "", False: ": **not met**"}[quantity.met(measured["median"])]


def _known(report):
    """(quantity, what was measured of it) of a report."""
    return [(quantity, report["measured"][quantity.name]) for quantity in claims()[report["name"]].quantities
            if quantity.name in report["measured"]]


def shown(report):
    """A kept report as a table for a terminal."""
    met = {None: "", True: "yes", False: "no"}
    rows = [[quantity.name, _spread(quantity, measured), _paper(quantity), quantity.bar(),
             met[quantity.met(measured["median"])]] for quantity, measured in _known(report)]
    about = "transcribed from an earlier table" if report["transcribed"] else f"measured at {report['commit']}"
    return table([report["name"], "measured", "paper", "bar", "met"], rows) + (
        f"\n\nseeds {', '.join(map(str, report['seeds']))}; {about}, {report['date']}\n{report['hardware']['cpu']}")


def markdown(names):
    """The README's table of some claims: a row for each if they show the same quantities, else a row a quantity."""
    found = reports(names)
    heads = [[quantity.words for quantity in claims()[report["name"]].quantities if quantity.words] for report in found]
    return _wide(found, heads[0]) if len(found) > 1 and all(head == heads[0] for head in heads) else _long(found)


def _wide(found, heads):
    lines = [["", *heads, "bar", "reproduce"]]
    for report in found:
        known = {quantity.words: _spread(quantity, measured) for quantity, measured in _known(report)}
        bars = [f"{quantity.words or quantity.name} {quantity.bar()}{_met(quantity, measured)}"
                for quantity, measured in _known(report) if quantity.limit is not None]
        lines.append([claims()[report["name"]].words, *(known.get(head, "") for head in heads),
                      ", ".join(bars) or "as it comes", _command(report)])
    return _lines(lines)


def _long(found):
    papers = any(quantity.paper is not None for report in found for quantity, _ in _known(report))
    lines = [["", "measured", *(["paper"] if papers else []), "bar", "reproduce"]]
    for report in found:
        for quantity, measured in _known(report):
            if quantity.words:
                lines.append([quantity.words, _spread(quantity, measured), *([_paper(quantity)] if papers else []),
                              quantity.bar() + _met(quantity, measured), _command(report)])
    return _lines(lines)


def _paper(quantity):
    return "" if quantity.paper is None else quantity.unit(quantity.paper)


def _command(report):
    return f"`minicompress reproduce {report['name']}`" + "*" * report["transcribed"]


def _lines(rows):
    header, *rows = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([header, "|" + "---|" * (header.count(" | ") + 1), *rows]) + "\n"


def write_readme(path):
    """Write the tables between their marks, ``<!-- results NAME … -->`` and ``<!-- end -->``; how many there are.

    Raises ValueError for a file without marks, or with a name that is no claim's.
    """
    path = Path(path)
    text, count = MARK.subn(lambda match: f"{match[1]}\n{markdown(_named(match[2]))}\n{match[3]}",
                            path.read_text("utf-8"))
    if not count:
        raise ValueError(f"{path} has no marks <!-- results NAME … --> … <!-- end --> to write tables between")
    with atomic.replacing(path) as temporary:
        temporary.write_text(text, "utf-8")
    return count


def _named(names):
    names = names.split()
    if unknown := [name for name in names if name not in claims()]:
        raise ValueError(f"no claim is called {unknown[0]!r}, expected some of {', '.join(claims())}")
    return names
