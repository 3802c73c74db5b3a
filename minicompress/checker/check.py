"""Checks a learner's own function against an equation of the ledger, and answers in the learner's terms."""

import html
import sys
import warnings

import numpy as np

from .call import SINGLE, Misfit, each_array
from .ledger import equation
from .time_limit import TimeLimit, Watch
from .trial import Failure, Findings, alike, parts, run
from .words import in_words, told_apart

HEADLINES = {
    "passed": "passed",
    "wrong": "not yet: the property “{property}” does not hold",
    "constant": "not yet: it gives the same number, whatever the input is",
    "nothing": "not yet: {message}",
    "exception": "not yet: {message}",
    "shape": "not yet: {message}",
    "type": "not yet: {message}",
    "in place": "not yet: {message}",
    "endless": "not yet: {message}",
}

TOGETHER = 6  # times as long as one call may all calls of an attempt take


class Check:
    """What `check` found: true if the function passed. ``report`` is ready for JSON; printing it says what to look at.

    The report's keys: id, title, passed, verdict (passed, wrong, constant, nothing, exception, shape, type, in place or
    endless), message, inputs_tried, seed; properties, {name: holds, or None where not reached}; and of what failed
    property, inputs {name: text}, found, expected and trap (the sentence of the known mistake that answers the same).
    """

    def __init__(self, report):
        self.report = report

    def __bool__(self):
        return self.report["passed"]

    def _lines(self):
        r = self.report
        yield f"{r['id']} {r['title']}: " + HEADLINES[r["verdict"]].format(**r)
        if r["passed"]:
            yield f"{r['inputs_tried']} inputs tried, {len(r['properties'])} properties hold on each."
            if r["note"]:
                yield r["note"]
            return
        if r["inputs"]:
            yield f"The smallest input that shows it, of {r['inputs_tried']} tried:"
            yield from (f"    {name} = {value}" for name, value in r["inputs"].items())
        if r["found"] is not None:
            yield f"your function gives  {r['found']}"
        if r["expected"] is not None:
            yield f"the formula gives    {r['expected']}"
        if r["verdict"] == "wrong":
            yield f"What is wrong: {r['message']}."
        if r["trap"]:
            yield f"A known mistake answers the same: {r['trap']}"
        if any(held is not None for held in r["properties"].values()):
            yield "Properties:"
            yield from (f"    {'holds' if held else 'fails'}  {name}" for name, held in r["properties"].items()
                        if held is not None)

    def __str__(self):
        return "\n".join(self._lines())

    __repr__ = __str__

    def _repr_html_(self):
        colour = "#2e7d32" if self else "#c62828"
        first, *rest = map(html.escape, self._lines())
        return (f'<div style="border-left: 4px solid {colour}; padding: 0 1em"><p><b>{first}</b></p>'
                f'<pre style="white-space: pre-wrap">{chr(10).join(rest)}</pre></div>')


def check(id, function, *, examples=60, seed=0, seconds=5.0):
    """Run an equation's properties against a function of your own; returns a `Check`, true if it passed.

    Args:
        id: of the equation, such as "KD-1"; ``minicompress equations`` lists them, with what to write for each.
        function: takes and returns what `equation(id).signature` says. It gets NumPy arrays and plain numbers, or,
            where that fails, lists or PyTorch tensors; it may return any of them.
        examples: inputs to try. The same seed gives the same ones, so two people see the same counterexample.
        seconds: the most that one call may take, and six times that for all on the same kind of input, so that an
            endless loop comes to an end: of its own processor time, or four times as long where it waits.

    Raises ValueError for an unknown ID and numbers that make no sense, TypeError for a function that can't be called.

    >>> check("PR-1", lambda x: sum(v == 0 for v in x) / len(x))
    PR-1 sparsity: passed
    60 inputs tried, 4 properties hold on each.
    >>> print(str(check("PR-1", lambda x: 100.0 * (x == 0).mean())).splitlines()[0])
    PR-1 sparsity: not yet: the property “is a fraction from 0 to 1” does not hold
    """
    entry = equation(id)
    if not callable(function):
        raise TypeError(f"function is a {type(function).__name__}, expected something to call")
    for name, value, least in (("examples", examples, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"{name} is {value!r}, expected an integer of at least {least}")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < np.inf:
        raise ValueError(f"seconds is {seconds!r}, expected a finite number above 0")
    inputs, shown = entry.examples(examples, seed), None
    for offered, offer in _offers():
        for eps in (None, SINGLE):
            watch = Watch(seconds, TOGETHER * seconds)
            # What fails is asked again in other ways, but only until it fails there too.
            findings = _watched(watch, entry, entry.subject(function, eps=eps, offer=offer, run=watch.call), inputs,
                                until_failure=shown is not None and shown.answers != [])
            if findings.passed:
                notes = [f"It wants {offered}, so it was given them." if offered != "arrays" else "",
                         "Right to single precision." if eps else ""]
                return Check(_report(entry, findings, seed) | {"note": " ".join(filter(None, notes))})
            if shown is None or (not shown.answers and findings.answers):  # the first that gives answers at all
                shown = findings
            if findings.failures[-1].kind in ("endless", "nothing"):
                return Check(_report(entry, findings, seed))
            if not _in_single_precision(findings.answers):
                break
    return Check(_report(entry, shown, seed))


def _watched(watch, entry, subject, inputs, **options):
    """`run`, with an endless call among what it finds."""
    findings = Findings()
    try:
        watch.run(lambda: run(entry, subject, inputs, findings=findings, **options))
    except TimeLimit as limit:
        words = f"{limit}: " + ("far too slow" if findings.answers else "a loop that never ends, or far too slow")
        words += "" if limit.stopped else "; it could not even be stopped, so restart Python"
        findings.failures.append(Failure(None, "endless", words, findings.current))
    return findings


def _offers():
    """What a function may be given in place of arrays: as they are, as lists, as tensors if PyTorch is in use."""
    yield "arrays", lambda value: value
    yield "lists", each_array(np.ndarray.tolist)
    if (torch := sys.modules.get("torch")) is not None:
        yield "tensors", each_array(torch.from_numpy)


def misfit_report(entry, verdict, message, seed):
    """The `Check` of a function of which nothing but this is known."""
    return Check(_report(entry, Findings(), seed) | {"passed": False, "verdict": verdict, "message": message})


def _report(entry, findings, seed):
    failure = findings.headline(entry.properties)
    failed = findings.failed
    report = {"id": entry.id, "title": entry.title, "passed": failure is None, "verdict": "passed", "message": "",
              "inputs_tried": findings.tried, "seed": seed,
              "properties": {name: name not in failed if findings.calls[name] else None for name in entry.properties},
              "property": None, "inputs": {}, "found": None, "expected": None, "trap": None, "note": ""}
    if failure is None:
        return report
    constant = failure.kind in ("wrong", "shape") and _is_constant(findings.answers)
    found = next((answer for inputs, answer, _ in findings.answers if inputs is failure.inputs), None)
    expected = entry.subject(entry.reference)(*failure.inputs)
    words = told_apart(found, expected) if found is None or not alike(found, expected) else (in_words(expected),) * 2
    return report | {
        "verdict": "constant" if constant else failure.kind, "message": failure.message, "property": failure.property,
        "inputs": {name: in_words(value) for name, value in zip(entry.arguments, failure.inputs, strict=True)},
        "found": None if found is None else words[0], "expected": words[1],
        "trap": _matching_trap(entry, findings.answers)}


def _in_single_precision(answers):
    """Whether every number of every answer is one that float32 holds: the mark of an answer that was computed in it."""
    with np.errstate(over="ignore"):
        return all(np.array_equal(part, part.astype(np.float32), equal_nan=True)
                   for _, found, _ in answers for part in parts(found) if part.dtype.kind == "f")


def _is_constant(answers):
    """Whether every number of every answer is one and the same, no NaN, and the formula's are not."""
    return len(answers) >= 3 and _is_finite(answers[0][1]) and _is_one([found for _, found, _ in answers]) \
        and not _is_one([expected for *_, expected in answers])


def _is_one(answers):
    """Whether there is just one number in all of these answers."""
    arrays = [part for answer in answers for part in parts(answer) if part.size]
    return bool(arrays) and all((array == arrays[0].flat[0]).all() for array in arrays)


def _matching_trap(entry, answers):
    """The sentence of the trap that gives these very answers, and not the formula's; None if there is no such trap.

    An answer that is not finite may be another mistake on top, so it says nothing against a trap.
    """
    for trap in entry.traps:
        subject, told = entry.subject(trap.function), False
        for inputs, found, expected in answers:
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                    wrong = subject(*inputs)
            except Misfit:
                continue
            if not alike(found, wrong):
                if _is_finite(found) or not _is_finite(wrong):
                    break
                continue
            told = told or not alike(expected, wrong)
        else:
            if told:
                return trap.says
    return None


def _is_finite(answer):
    return all(part.dtype.kind == "U" or np.isfinite(part).all() for part in parts(answer))
