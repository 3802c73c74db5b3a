"""What is claimed, measured and combined: declared where it is made, in the module that makes it, and found from there.

An experiment or a benchmark ends with ``CLAIMS``, {name: `Claim`}; a method that networks are compressed by with
``METHODS``, a tuple of `Method`s.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

# ---------------------------------------------------------------------------------------------------------------------
# Units: a number in words


def percent(fraction):
    """A fraction as a percentage with two digits after the point, or a dash for None.

    >>> percent(0.0158)
    '1.58 %'
    """
    return "-" if fraction is None else f"{100 * fraction:.2f} %"


def points(fraction):
    """A difference of two fractions, in percentage points.

    >>> points(0.0005), points(-0.0007)
    ('+0.05', '−0.07')
    """
    return f"{100 * fraction:+.2f}".replace("-", "−")


def count(number):
    """A whole number, or the median of two.

    >>> count(12936), count(3.5)
    ('12,936', '3.5')
    """
    return f"{number:,.0f}" if number == round(number) else f"{number:,.1f}"


def seconds(number):
    """Seconds, rounded; their unit stands in the header.

    >>> seconds(253.7)
    '254'
    """
    return f"{number:,.0f}"


def times(ratio):
    """So many times as much.

    >>> times(135.04)
    '135.0×'
    """
    return f"{ratio:.1f}×"


def precise_times(ratio):
    """So many times as much, where hundredths count.

    >>> precise_times(1.402)
    '1.40×'
    """
    return f"{ratio:.2f}×"


def objective_times(ratio):
    """So many times as much, of two objectives that hardly differ.

    >>> objective_times(1.0)
    '1.0000×'
    """
    return f"{ratio:.4f}×"


def milliseconds(seconds):
    """Seconds in milliseconds; their unit stands in the header.

    >>> milliseconds(0.00144)
    '1.44'
    """
    return f"{1000 * seconds:.2f}"


# ---------------------------------------------------------------------------------------------------------------------
# What is declared


@dataclass(frozen=True)
class Quantity:
    """One number of a report: its ``name`` there ("a.b" for one within another), unit, words, bar, the paper's figure.

    ``unit`` writes the number in words. ``words`` head it in README's tables; without them it stands in reports alone.

    >>> ratio = Quantity("ratio", times, "ratio", at_least=40)
    >>> ratio.met(39.9), ratio.bar()
    (False, 'at least 40.0×')
    """

    name: str
    unit: Callable
    words: str = ""
    at_least: float | None = None
    at_most: float | None = None
    paper: float | None = None

    @property
    def limit(self):
        """The bar, or None."""
        return self.at_most if self.at_least is None else self.at_least

    def met(self, reached):
        """Whether a number is on the right side of the bar; None where there is no bar."""
        if self.limit is None:
            return None
        return bool(reached <= self.limit if self.at_least is None else reached >= self.limit)

    def bar(self):
        """The bar in words, "" for none."""
        side = "at most" if self.at_least is None else "at least"
        return "" if self.limit is None else f"{side} {self.unit(self.limit)}"


@dataclass(frozen=True)
class Claim:
    """What runs, and what of its report is shown.

    run : (lab) -> a dict ready for JSON, once per seed; a benchmark takes only the seed of the lab
    quantities : `Quantity`s of the report
    measured : (report) -> {quantity's name: number}, where they don't simply stand in the report
    table : (report) -> text, of a benchmark both sides in full
    data, model : what it is about, by name
    words : what README calls it
    """

    run: Callable
    quantities: tuple
    measured: Callable | None = None
    table: Callable | None = None
    data: str | None = "mnist"
    model: str | None = None
    words: str = ""

    def values(self, report):
        """{quantity's name: number} of one run's report."""
        if self.measured is not None:
            return self.measured(report)
        return {quantity.name: within(report, quantity.name) for quantity in self.quantities}


def within(report, name):
    """The number under a name, "a.b" being b within a.

    >>> within({"a": {"b": 3}}, "a.b")
    3
    """
    for part in name.split("."):
        report = report[part]
    return report


@dataclass(frozen=True)
class Method:
    """One way to compress a trained network, as `recipes.pipeline` combines them and `compare` tells them apart.

    name : what it is called in a list of methods
    after : the names of methods that may come before it
    because : why no other may, in words that go on behind "first, then name: "; ``{first}`` stands for the other
    apply : (model, tuning) -> a new or the same model, fine-tuned: ``tuning`` holds ``dataset`` and ``settings``, and
        ``tuning.fit(model, …)`` trains
    title : what a table calls it
    last : whether none may come behind it, and what it does is done when the file is written
    """

    name: str
    after: tuple
    because: str
    apply: Callable
    title: str = ""
    last: bool = False


def declared(attribute, *folders):
    """(module's name, value) of every module below these packages that has such an attribute, in alphabetical order.

    >>> [name for name, _ in declared("CLAIMS", "minicompress.bench")][:1]
    ['minicompress.bench.clustering']
    """
    for folder in folders:
        package = importlib.import_module(folder)
        for info in pkgutil.walk_packages(package.__path__, f"{folder}."):
            module = importlib.import_module(info.name)
            if attribute in vars(module):
                yield info.name, getattr(module, attribute)
