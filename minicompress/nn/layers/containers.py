"""Containers: networks of layers."""


from minicompress import engine, expect
from minicompress.engine import Tensor  # noqa: F401 - for the examples

from ..module import Module
from .activation import Identity, ReLU  # noqa: F401 - for the examples
from .pooling import Flatten  # noqa: F401
from .weighted import Linear  # noqa: F401


class _Container(Module):
    """Modules by position, ``Sequential(a, b)``, or by name, ``Sequential({"fc1": a, "relu": b})``."""

    def __init__(self, *modules):
        super().__init__()
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], dict) else dict(enumerate(modules))
        for name, module in named.items():
            name = str(name)
            expect.a(Module, f"layer {name!r}", module)
            expect.that(name and "." not in name and not hasattr(type(self), name) and name not in vars(self),
                        f"{name!r} can't name a layer: it must be new, not empty, and without a dot")
            vars(self)[name] = module

    def __len__(self):
        return len(self.children())

    def __getitem__(self, index):
        """The layer at a position, or for a slice a container of those very layers, under their names."""
        chosen = self.children()[index]
        return type(self)(dict(chosen)) if isinstance(index, slice) else chosen[1]

    def __iter__(self):
        return iter([module for _, module in self.children()])


class Sequential(_Container):
    """Modules one after the other: ``Sequential(a, b)``, or with names ``Sequential({"fc1": a, "relu": b})``.

    >>> import numpy as np
    >>> model = Sequential(Flatten(), Linear(4, 2, rng=np.random.default_rng(0)))
    >>> [name for name, _ in model.named_parameters()]
    ['1.weight', '1.bias']
    """

    def forward(self, x):
        for module in self:
            x = module(x)
        return x


class Add(_Container):
    """The sum of what its branches make of the same x: with an `Identity` among them, a residual block.

    Raises ValueError for branches whose results have different shapes, and for no branch at all.

    >>> Add({"body": ReLU(), "shortcut": Identity()})(Tensor([-1.0, 2.0])).numpy()
    array([-1.,  4.], dtype=float32)
    """

    def forward(self, x):
        first, *others = results = _branches(self, x)
        shapes = [y.shape for y in results]
        expect.that(len(set(shapes)) == 1, f"Add needs branches of one shape, got {shapes}")
        for y in others:
            first = first + y
        return first


class Concatenate(_Container):
    """What its branches make of the same x, one behind the other along the channels, axis 1.

    Raises ValueError for branches whose results differ in any other axis, and for no branch at all.

    >>> Concatenate(ReLU(), Identity())(Tensor([[-1.0, 2.0]])).numpy()
    array([[ 0.,  2., -1.,  2.]], dtype=float32)
    """

    def forward(self, x):
        return engine.concatenate(_branches(self, x), axis=1)


def _branches(container, x):
    expect.that(len(container), lambda: f"{type(container).__name__} has no branch")
    return [module(x) for module in container]
