"""A rewrite of networks as a table: what becomes of each class of layer, and a refusal where nothing is known."""

import numpy as np

from minicompress import expect

from .module import Module


class Moves:
    """A trait of a layer: what it gives are elements of what it reads, chosen or put elsewhere, each of one channel.

    So whatever the numbers stand for, codes, signs or channel names, the layer may stay as it is. It is named among the
    layer's bases; a subclass of the layer, which may compute anything, has it no more.
    """

    @staticmethod
    def ties(count):
        """Of so many channels read those, rows of an integer array, that can only be cut together; none by default."""
        return np.empty((0, 0), int)


class Rules:
    """What a rewrite does with a layer, by its class: called with a layer, its path and whatever else the rule takes.

    A class has its rule, or that of a trait among its own bases, or none: a subclass of a layer may compute anything,
    so it has none. What has no rule is refused, with the path and the reason, or given to the rule ``otherwise``.

    refusal : in words, such as "can't be traced"
    rules : {class or trait, such as `Moves`: rule}, a rule being a function of (layer, path, …)
    reasons : {class: why there is none}

    >>> from minicompress.nn import Dropout, Flatten
    >>> widths = Rules("has no width", {Flatten: lambda layer, path: 3}, {Dropout: "it draws"})
    >>> widths(Flatten(), "flat")
    3
    >>> widths(Dropout(0.5, rng=None), "net.drop")
    Traceback (most recent call last):
    TypeError: net.drop, a Dropout, has no width: it draws
    """

    def __init__(self, refusal, rules, reasons=None, otherwise=None):
        self.refusal, self.rules, self.reasons, self.otherwise = refusal, dict(rules), reasons or {}, otherwise

    def __contains__(self, layer):
        return self._rule(layer) is not None

    def _rule(self, layer):
        kinds = type(layer), *(base for base in type(layer).__bases__ if not issubclass(base, Module))
        return next((self.rules[kind] for kind in kinds if kind in self.rules), None)

    def __call__(self, layer, path, *rest):
        rule = self._rule(layer) or self.otherwise
        expect.that(rule is not None, lambda: f"{path or 'the model'}, {expect.article(type(layer))}, {self.refusal}: "
                    f"{self._why(layer)}", TypeError)
        return rule(layer, path, *rest)

    def _why(self, layer):
        for kind, why in self.reasons.items():
            if isinstance(layer, kind):
                return why
        base = next((kind.__name__ for kind in type(layer).__mro__[1:]
                     if kind in self.rules or Moves in kind.__bases__), None)
        if base is not None:
            return f"a subclass of {base} may compute anything"
        known = sorted(kind.__name__ for kind in self.rules if issubclass(kind, Module))
        return f"expected one of {', '.join(known)}" + (", or a layer that Moves" if Moves in self.rules else "")


def rebuilt(container, path, rule, *rest):
    """A container of the same class and mode, with what the rule makes of each child.

    >>> from minicompress.nn import Flatten, Sequential
    >>> rebuilt(Sequential({"flat": Flatten()}), "net", lambda child, path: print(path) or child).flat
    net.flat
    Flatten()
    """
    made = type(container)({name: rule(child, inside(path, name), *rest) for name, child in container.children()})
    made.training = container.training
    return made


def inside(path, name):
    """The dotted name of a child.

    >>> inside("", "block"), inside("block", "conv")
    ('block', 'block.conv')
    """
    return f"{path}.{name}" if path else name
