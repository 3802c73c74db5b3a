"""An equation on one page: the formula as a function that runs, what must hold of it, what it is mistaken for.

A page enters itself: the `ledger` walks the folder `equations`. It names the function of the package that implements it
as text, found only when it is asked for, so that nothing here imports what it describes.
"""

import importlib
import inspect
import shutil
import textwrap
from dataclasses import dataclass

import numpy as np

from .call import Subject, float32, strided
from .literal import listed, precisely
from .properties import agrees


@dataclass(frozen=True)
class Trap:
    """A known wrong implementation: its name, the sentence that tells a learner so, and its function.

    ``seen`` marks those that public code really made.
    """

    name: str
    says: str
    function: object
    seen: bool = False

    @property
    def title(self):
        """Its name, and whether public code made it."""
        return f"{self.name} (seen in public code)" if self.seen else self.name


class Page:
    """One equation as one function: a row of the table, or a part of it whose name follows a colon; `page` makes it.

    Called, it is its literal function: the formula in plain loops over numbers and lists, owing nothing to anybody.

    Attributes:
        id: "KD-1"; a further function of the same row is "PR-2:threshold".
        title, formula: in words; and for a terminal. ``latex`` is the formula for a notebook.
        arguments, results: {name: what it is, with shape and unit}, in the order of the function.
        symbols: {name: what it is}, of what the formula names beside them.
        cite: `Citation`s, of papers and of this project's conventions.
        implementation: dotted name of the package's function, whose docstring names the ID.
        properties: {name: property}; ``property(f, *arguments)`` raises AssertionError with what a learner should read.
        traps: known wrong implementations, each caught by one property at least.
        reference: the literal function of arrays, computed on lists or, if ``digits``, in decimals that don't overflow.
    """

    def __init__(self, literal, id, *, cite, latex, implementation, inputs, cases=(), adapt=lambda function: function,
                 fixed_shape=True, single=False, digits=False):
        self.literal, self.id, self.latex, self.implementation = literal, id, latex, implementation
        self.cite = cite if isinstance(cite, tuple) else (cite,)
        self.inputs, self.cases, self.adapt = inputs, cases, adapt
        self.fixed_shape, self.single = fixed_shape, single
        self.title, self.formula, named, self.symbols = _read(literal)
        parameters = inspect.signature(literal).parameters
        self.arguments = {name: named[name] for name in parameters}
        self.results = {name: text for name, text in named.items() if name not in parameters}
        self.reference = (precisely if digits else listed)(literal)
        self.properties, self.traps = {}, ()
        self.__name__, self.__module__, self.__doc__ = literal.__name__, literal.__module__, literal.__doc__
        self.__wrapped__ = literal  # which doctest and inspect.getsource look for

    def __call__(self, *inputs, **named):
        return self.literal(*inputs, **named)

    def must(self, name, property=None):
        """Enter a property under a name; a decorator if none is given, which leaves the function as it is."""
        def enter(function):
            if name in self.properties:
                raise ValueError(f"{self.id} has two properties {name!r}")
            self.properties[name] = function
            return function
        return enter if property is None else enter(property)

    def must_agree(self, ulps=64, size=None, name="is what the formula gives"):
        """Enter the property that f gives what the formula gives: see `agrees`."""
        self.must(name, agrees(self.reference, ulps, size))

    def trap(self, name, says, function, *, seen=False):
        """Enter a known mistake: its name, the sentence that says what is wrong, the function that makes it."""
        self.traps += (Trap(name, says, function, seen),)

    @property
    def row(self):
        """The row of the table: the ID without the name of a part."""
        return self.id.partition(":")[0]

    @property
    def source(self):
        """The papers, with the equation or section in each."""
        return "; ".join(map(str, self.cite))

    @property
    def signature(self):
        """What a learner is to write."""
        return f"f({', '.join(self.arguments)}) -> {', '.join(self.results)}"

    def implemented(self):
        """The package's function in the learner's form, or None where it measures files, not numbers."""
        return self.adapt and self.adapt(resolve(self.implementation))

    def subject(self, function, **options):
        """A function as the properties call it: see `Subject`."""
        return Subject(function, tuple(self.results), **options)

    def examples(self, count, seed=0):
        """The first ``count`` inputs: the cases, then generated ones of growing size; the same for the same seed.

        Of every six generated ones two hold arrays that are not contiguous, and one arrays of float32.
        """
        def generated(i):
            values = self.inputs(np.random.default_rng([seed, i]), 1 + i // 6)
            change = {1: strided, 3: float32, 5: strided}.get(i % 6)
            return tuple(map(change, values)) if change else values
        return [*self.cases, *map(generated, range(max(0, count - len(self.cases))))]

    def report(self):
        """The page as plain data, ready for JSON."""
        return {"id": self.id, "title": self.title, "source": self.source, "latex": self.latex, "formula": self.formula,
                "signature": self.signature, "arguments": dict(self.arguments), "results": dict(self.results),
                "symbols": dict(self.symbols), "implementation": self.implementation,
                "reference": f"{self.__module__}.{self.__name__}", "properties": list(self.properties),
                "traps": {trap.name: trap.says for trap in self.traps}}

    def __str__(self):
        explained = self.arguments | self.results | self.symbols
        width = max(map(len, explained))
        lines = [f"{self.id}  {self.title}", "", *(f"    {line}" for line in self.formula.splitlines()), "",
                 *_wrapped(f"source    {self.source}", 10), f"function  {self.implementation}",
                 *_wrapped(f"to write  {self.signature}", 10), ""]
        for name, text in explained.items():
            lines += _wrapped(f"    {name:{width}}  {text}", 6 + width)
        lines += ["", "must hold", *(f"    {name}" for name in self.properties)]
        if self.traps:
            lines += ["", "traps"]
        for trap in self.traps:
            lines += _wrapped(f"    {trap.title}: {trap.says}", 8)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_markdown_(self):
        symbols = [f"- `{name}`: {text}" for name, text in (self.arguments | self.results | self.symbols).items()]
        return "\n".join([
            f"**{self.id}** {self.title}", "", f"$${self.latex}$$", "", f"{self.source}. In the package: "
            f"`{self.implementation}`. To write: `{self.signature}`", "", *symbols, "", "Must hold:", "",
            *(f"- {name}" for name in self.properties), "", "Traps:", "",
            *(f"- *{trap.title}*: {trap.says}" for trap in self.traps)])


def page(id, **declared):
    """Make a `Page` of a literal function, whose docstring holds title, formula, arguments, results, symbols.

    Four blocks with an empty line between them, then doctests if there are any:

    >>> from minicompress.checker.paper import Convention
    >>> @page("PR-0", cite=Convention("halves"), latex="h = x / 2", implementation="minicompress.no.such",
    ...       inputs=lambda rng, size: (1.0,))
    ... def half(x):
    ...     '''half of it
    ...
    ...     h = x / 2
    ...
    ...     x : a number
    ...     h : a number
    ...     '''
    ...     return x / 2
    >>> half.title, half.formula, half.arguments, half.results, half(3)
    ('half of it', 'h = x / 2', {'x': 'a number'}, {'h': 'a number'}, 1.5)
    """
    return lambda literal: Page(literal, id, **declared)


def _read(literal):
    """(title, formula, {name: text} of arguments and results, {name: text} of other symbols) of a docstring."""
    title, formula, named, *more = inspect.getdoc(literal).split("\n\n")
    symbols = more[0] if more and not more[0].startswith(">>>") else ""
    return title, formula, _explained(named), _explained(symbols)


def _explained(block):
    """``name : text`` lines as a dict; an indented line goes on with the text before it."""
    found, last = {}, None
    for line in block.splitlines():
        if line.startswith(" "):
            found[last] += " " + line.strip()
        else:
            last, _, text = (part.strip() for part in line.partition(" : "))
            found[last] = text
    return found


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


def tensor(array, **options):
    """An array as a Tensor of the package."""
    return resolve("minicompress.engine.Tensor")(array, **options)
