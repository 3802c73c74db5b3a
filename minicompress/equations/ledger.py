"""The ledger: what each equation is called, means and must do, in a form that runs.

An `Equation` names the function of the package that implements it as text, found only when it is asked for, so that
nothing here imports what it describes; and it holds a literal reference that owes the package nothing.
"""

import importlib
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from .subject import Subject


@dataclass(frozen=True)
class Trap:
    """A known wrong implementation: what it is called, the sentence that tells a learner so, and its function."""

    name: str
    says: str
    function: Callable


@dataclass(frozen=True, repr=False)
class Equation:
    """One equation as one function: a row of the table, or a part of it whose name follows a colon.

    Attributes:
        id: "KD-1"; a further function of the same row is "PR-2:threshold".
        title, source: in words; the paper and its equation number.
        latex, formula: for a notebook, and for a terminal.
        arguments, results: {name: what it is, with its shape}, in the order of the learner's function.
        implementation: dotted name of the package's function, whose docstring names the ID.
        reference: the formula to the letter, with the arguments above.
        inputs: (rng, size) -> arguments, the larger the size the larger the input.
        properties: {name: property}; ``property(f, *arguments)`` raises AssertionError with what a learner should read.
        traps: known wrong implementations, each caught by one property at least.
        cases: arguments worth trying whatever the generator does, such as textbook counterexamples.
        adapt: makes the learner's function of the implementation; None where that measures files, not numbers.
        fixed_shape: whether a right answer always has the reference's shape.
        single: whether the package computes it in float32, so that its numbers are held to that.
    """

    id: str
    title: str
    source: str
    latex: str
    formula: str
    arguments: dict
    results: dict
    implementation: str
    reference: Callable
    inputs: Callable
    properties: dict
    traps: tuple = ()
    cases: tuple = ()
    adapt: Callable | None = field(default=lambda function: function)
    fixed_shape: bool = True
    single: bool = False

    @property
    def row(self):
        """The row of the table: the ID without the name of a part."""
        return self.id.partition(":")[0]

    @property
    def signature(self):
        """What a learner is to write."""
        return f"f({', '.join(self.arguments)}) -> {', '.join(self.results)}"

    def implemented(self):
        """The package's function in the learner's form, or None where it measures files."""
        return self.adapt and self.adapt(resolve(self.implementation))

    def subject(self, function, **options):
        """A function as the properties call it: see `Subject`."""
        return Subject(function, tuple(self.results), **options)

    def examples(self, count, seed=0):
        """The first ``count`` inputs: the cases, then generated ones of growing size; the same for the same seed."""
        generated = (self.inputs(np.random.default_rng([seed, i]), 1 + i // 6)
                     for i in range(max(0, count - len(self.cases))))
        return [*self.cases, *generated][:max(count, len(self.cases))]

    def report(self):
        """The entry as plain data, ready for JSON."""
        return {"id": self.id, "title": self.title, "source": self.source, "latex": self.latex, "formula": self.formula,
                "signature": self.signature, "arguments": dict(self.arguments), "results": dict(self.results),
                "implementation": self.implementation,
                "reference": f"{self.reference.__module__}.{self.reference.__qualname__}",
                "properties": list(self.properties), "traps": {trap.name: trap.says for trap in self.traps}}

    def __str__(self):
        width = max(map(len, [*self.arguments, *self.results]))
        lines = [f"{self.id}  {self.title}", "", *(f"    {line}" for line in self.formula.splitlines()), "",
                 *_wrapped(f"source    {self.source}", 10), f"function  {self.implementation}",
                 *_wrapped(f"to write  {self.signature}", 10), ""]
        for name, text in (self.arguments | self.results).items():
            lines += _wrapped(f"    {name:{width}}  {text}", 6 + width)
        lines += ["", "must hold", *(f"    {name}" for name in self.properties)]
        if self.traps:
            lines += ["", "traps"]
        for trap in self.traps:
            lines += _wrapped(f"    {trap.name}: {trap.says}", 8)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_markdown_(self):
        symbols = [f"- `{name}`: {text}" for name, text in (self.arguments | self.results).items()]
        return "\n".join([
            f"**{self.id}** {self.title}", "", f"$${self.latex}$$", "", f"{self.source}. In the package: "
            f"`{self.implementation}`. To write: `{self.signature}`", "", *symbols, "", "Must hold:", "",
            *(f"- {name}" for name in self.properties), "", "Traps:", "",
            *(f"- *{trap.name}*: {trap.says}" for trap in self.traps)])


def _wrapped(line, indent):
    """A line in the width of the terminal, what does not fit below it and indented."""
    width = max(40, min(120, shutil.get_terminal_size((120, 24)).columns))
    return textwrap.wrap(line, width, subsequent_indent=" " * indent, break_on_hyphens=False)


def resolve(name):
    """The object of a dotted name of the package, imported now: ``"minicompress.pruning.sparsity"``."""
    module, parts = name, []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            parts.insert(0, last)
            if not module:
                raise
    for part in parts:
        found = getattr(found, part)
    return found


@cache
def ledger():
    """Every `Equation` by its ID, in the order of the chapters."""
    from . import entries
    found = {}
    for equation in entries.all_entries():
        if equation.id in found:
            raise ValueError(f"the ledger has {equation.id} twice")
        found[equation.id] = equation
    return found


def equations(ids=None):
    """The equations of the given IDs, all for None; a row's ID stands for all its parts. ValueError for unknown ones.

    >>> [equation.id for equation in equations(["PR-9"])]
    ['PR-9']
    """
    known = ledger()
    if ids is None:
        return list(known.values())
    found = {}
    for wanted in [ids] if isinstance(ids, str) else ids:
        wanted = wanted.strip()
        matching = {id: e for id, e in known.items() if wanted.upper() in (id.upper(), e.row)}
        if not matching:
            raise ValueError(f"no equation {wanted!r}, expected one of {', '.join(known)}")
        found |= matching
    return list(found.values())


def equation(id):
    """The one equation of this very ID; ValueError for an unknown one.

    >>> equation("PR-1").implementation
    'minicompress.pruning.sparsity'
    """
    known = {name.upper(): entry for name, entry in ledger().items()}
    if not isinstance(id, str) or id.strip().upper() not in known:
        raise ValueError(f"no equation {id!r}, expected one of {', '.join(ledger())}")
    return known[id.strip().upper()]
