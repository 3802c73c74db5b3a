"""Tries a function on an equation's inputs, property by property."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from .call import Misfit


@dataclass
class Failure:
    """The smallest input on which something went wrong, and what; ``property`` is None for a misfit."""

    property: str | None
    kind: str
    message: str
    inputs: tuple


@dataclass
class Findings:
    """What a run of the suite found: answers on which inputs, and the failures; filled while it runs."""

    tried: int = 0
    current: tuple = ()  # the inputs that are being tried
    calls: Counter = field(default_factory=Counter)  # inputs tried, by property
    failures: list = field(default_factory=list)
    answers: list = field(default_factory=list)  # (inputs, found, expected)

    @property
    def passed(self):
        return not self.failures and self.tried > 0

    @property
    def failed(self):
        """The names of the properties that do not hold."""
        return {failure.property for failure in self.failures if failure.property}

    def headline(self, order):
        """A misfit before properties, these in their order; then the smallest input whose own answer is wrong."""
        rank = {name: i for i, name in enumerate(order)}
        right = {id(inputs) for inputs, found, expected in self.answers if alike(found, expected)}
        return min(self.failures, default=None, key=lambda failure: (
            failure.property is not None, rank.get(failure.property, -1), id(failure.inputs) in right,
            weight(failure.inputs)))


ENOUGH = 3  # misfits after which a function is not asked again


def run(equation, subject, examples, *, until_failure=False, findings=None):
    """The `Findings` of the properties of an equation on each of the examples, in the given ones if there are any."""
    findings, reference = Findings() if findings is None else findings, equation.subject(equation.reference)
    for inputs in examples:
        findings.tried, findings.current = findings.tried + 1, inputs
        subject.suit(inputs)
        try:
            found, expected = subject(*inputs), reference(*inputs)
            findings.answers.append((inputs, found, expected))
            _require_likeness(equation, found, expected)
            for name, property in equation.properties.items():
                findings.calls[name] += 1
                _try(findings, name, property, subject, inputs)
            if until_failure and findings.failures:
                break
        except Misfit as misfit:
            findings.failures.append(Failure(None, misfit.kind, str(misfit), inputs))
            kinds = Counter(failure.kind for failure in findings.failures if failure.property is None)
            if until_failure or kinds[misfit.kind] >= ENOUGH:
                break
    return findings


def _try(findings, name, property, subject, inputs):
    try:
        property(subject, *inputs)
    except AssertionError as error:
        findings.failures.append(Failure(name, "wrong", str(error), inputs))
    except Misfit:
        raise
    except Exception as error:  # numbers so odd that the property itself stumbles over them
        message = f"the answer can't be looked at: {type(error).__name__}: {error}"
        findings.failures.append(Failure(name, "wrong", message, inputs))


def _require_likeness(equation, found, expected):
    several = len(equation.results) > 1
    for name, a, b in zip(equation.results, found if several else [found], expected if several else [expected],
                          strict=True):
        if (a.dtype.kind == "U") != (b.dtype.kind == "U"):
            raise Misfit("type", f"{name} is {'text' if a.dtype.kind == 'U' else 'numbers'}, expected "
                                 f"{'numbers' if a.dtype.kind == 'U' else 'text'}")
        if equation.fixed_shape and a.shape != b.shape:
            raise Misfit("shape", f"{name} has shape {a.shape}, expected {b.shape}")


def alike(a, b):
    """Whether two answers are the same but for rounding."""
    a, b = parts(a), parts(b)
    return len(a) == len(b) and all(
        np.array_equal(x, y) if "U" in x.dtype.kind + y.dtype.kind or x.dtype.kind + y.dtype.kind == "ii" else
        x.shape == y.shape and np.allclose(x, y, 1e-5, 1e-6, equal_nan=True) for x, y in zip(a, b, strict=True))


def parts(answer):
    """The arrays of an answer, one or several."""
    return answer if isinstance(answer, tuple) else (answer,)


def weight(inputs):
    """How large an input is to look at: numbers in it, then their sizes, so that the least is the smallest example."""
    values = [part for value in inputs for part in (value if isinstance(value, list) else [value])]
    arrays = [np.asarray(value) for value in values if isinstance(value, int | float | np.ndarray)]
    numbers = [np.abs(a[np.isfinite(a)]).sum() for a in (a.astype(np.float64) for a in arrays)]
    return sum(a.size for a in arrays), float(sum(numbers))
