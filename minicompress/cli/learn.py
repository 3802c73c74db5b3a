"""The commands for learners and teachers: ``equations | verify | check | grade | notebooks``."""

import argparse
from dataclasses import asdict

from minicompress import checker, expect
from minicompress.checker.paper import Citation
from minicompress.lessons import grading, notebooks

from . import tables
from .refusal import refusing

_KEYS = {
    "equations": "The JSON report has the key equations: for each id, title, formula, latex,\n"
                 "source, signature, arguments, results, symbols, implementation, reference,\n"
                 "properties and traps. With --bibtex also the key papers: for each key, authors,\n"
                 "title, year, venue, arxiv, doi and bibtex; null where there is none.\n",
    "verify": "The JSON report has the keys: passed, inputs, seed, equations (id, title, passed,\n"
              "inputs, properties, function, failures). Exit code 1 if any fails.\n",
    "check": "The JSON report has the keys: id, title, passed, verdict, message, property,\n"
             "inputs, found, expected, trap, properties, inputs_tried, seed. Exit code 1 unless\n"
             "it passed.\n",
    "grade": "The JSON report has the key submissions: for each file, lesson, points, most,\n"
             "reason and exercises (number, id, points, most, reason).\n",
    "notebooks": "The JSON report has the key files.\n",
}


def add_commands(command):
    """Add them by ``command(name, run, summary, keys=…)``, which gives a parser."""
    listing = command("equations", _equations, "list the equations, or show some in full", keys=_KEYS["equations"])
    listing.add_argument("--bibtex", action="store_true", help="print the papers that they cite, each once, as BibTeX")
    verify = command("verify", _verify, "run the equations' properties against the package", keys=_KEYS["verify"])
    verify.add_argument("--examples", type=_count, default=60, metavar="N", help="inputs each (default: %(default)s)")
    for sub in (listing, verify):
        sub.add_argument("ids", nargs="*", metavar="ID", help="such as KD-1 (default: all)")
    check = command("check", _check, "check a function of your own against an equation", keys=_KEYS["check"])
    check.add_argument("id", metavar="ID", help="such as KD-1; `minicompress equations` lists them")
    check.add_argument("function", metavar="FILE.py:FUNCTION", help="where your function is")
    grade = command("grade", _grade, "grade the exercises of submitted notebooks", keys=_KEYS["grade"])
    grade.add_argument("paths", nargs="+", metavar="NOTEBOOK", help="a notebook that keeps the lesson's name in its "
                       "own, or a folder of them")
    copy = command("notebooks", _notebooks, "copy the notebooks into a folder", keys=_KEYS["notebooks"])
    copy.add_argument("folder", metavar="DIR", help="a folder, made if need be")


def is_argument(word):
    """Whether a word behind ``--json`` is no name of a report, but what these commands take."""
    return word.endswith(".ipynb") or ".py:" in word or word.upper() in {
        name.upper() for id in checker.equations() for name in (id.id, id.row)}


def _equations(args):
    with refusing(ValueError):
        found = checker.equations(args.ids or None)
    report = {"equations": [entry.report() for entry in found]}
    if args.bibtex:
        cited = {place.paper for entry in found for place in entry.cite if isinstance(place, Citation)}
        papers = [paper for paper in checker.papers() if paper in cited]
        report["papers"] = [asdict(paper) | {"bibtex": paper.bibtex()} for paper in papers]
        return report, "\n\n".join(paper["bibtex"] for paper in report["papers"])
    if args.ids:
        return report, "\n\n".join(map(str, found))
    return report, tables.table(["ID", "title"], [[entry.id, entry.title] for entry in found], left=2)


def _verify(args):
    with refusing(ValueError):
        result = checker.verify(args.ids or None, examples=args.examples)
    return result.report, str(result), int(not result)


def _check(args):
    with refusing(ValueError):
        result = checker.check_file(args.id, args.function)
    return result.report, str(result), int(not result)


def _grade(args):
    with refusing(ValueError):
        report = grading.grade(args.paths)
    return report, tables.grades(report)


def _notebooks(args):
    with refusing(FileExistsError, FileNotFoundError):
        files = [str(path) for path in notebooks.copy_lessons(args.folder)]
    return {"files": files}, "\n".join(files)


def _count(text):
    whole = text.isascii() and text.isdigit() and int(text)
    expect.that(whole, f"{text!r} is no whole number from 1 on", argparse.ArgumentTypeError)
    return int(text)
