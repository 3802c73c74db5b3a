"""Looking at a network: what passes through its modules, and evaluation for a while."""

from minicompress.engine import no_grad

from .module import Module


class observe:
    """``with observe(f):`` calls f(module, x, y) after every module's forward pass.

    >>> from minicompress.nn import ReLU
    >>> from minicompress.engine import Tensor
    >>> with observe(lambda module, x, y: print(type(module).__name__, y.numpy())):
    ...     _ = ReLU()(Tensor([-1.0, 2.0]))
    ReLU [0. 2.]
    """

    def __init__(self, observer):
        self.observer = observer

    def __enter__(self):
        Module._observers.append(self.observer)

    def __exit__(self, *_):
        Module._observers.remove(self.observer)


class evaluating:
    """``with evaluating(model):`` switches to evaluation without recording a graph, and back afterwards.

    >>> from minicompress.engine import Tensor
    >>> from minicompress.nn import Dropout
    >>> import numpy as np
    >>> model = Dropout(0.5, rng=np.random.default_rng(0))
    >>> with evaluating(model):
    ...     model(Tensor([1.0, 2.0])).numpy()
    array([1., 2.], dtype=float32)
    >>> model.training
    True
    """

    def __init__(self, model):
        self.modules = [module for _, module in model.named_modules()]

    def __enter__(self):
        self.modes = [module.training for module in self.modules]
        self.no_grad = no_grad()
        self.no_grad.__enter__()
        for module in self.modules:
            module.training = False

    def __exit__(self, *exception):
        for module, mode in zip(self.modules, self.modes, strict=True):
            module.training = mode
        return self.no_grad.__exit__(*exception)
