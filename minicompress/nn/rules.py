"""A rewrite of networks as a table: what becomes of each class of layer, and a refusal where nothing is known."""

from minicompress import expect


class Rules:
    """What a rewrite does with a layer, by its class: called with a layer, its path and whatever else the rule takes.

    A class has its rule or none: a subclass may compute anything, so it has none. What has no rule is refused, with the
    path and the reason, or given to the rule ``otherwise``.

    refusal : in words, such as "can't be traced"
    rules : {class: rule}, a rule being a function of (layer, path, …)
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
        return type(layer) in self.rules

    def __call__(self, layer, path, *rest):
        rule = self.rules.get(type(layer), self.otherwise)
        expect.that(rule is not None, lambda: f"{path or 'the model'}, a {type(layer).__name__}, {self.refusal}: "
                    f"{self._why(layer)}", TypeError)
        return rule(layer, path, *rest)

    def _why(self, layer):
        for kind, why in self.reasons.items():
            if isinstance(layer, kind):
                return why
        base = next((kind.__name__ for kind in type(layer).__mro__ if kind in self.rules), None)
        if base is not None:
            return f"a subclass of {base} may compute anything"
        return f"expected one of {', '.join(sorted(kind.__name__ for kind in self.rules))}"


def inside(path, name):
    """The dotted name of a child.

    >>> inside("", "block"), inside("block", "conv")
    ('block', 'block.conv')
    """
    return f"{path}.{name}" if path else name
