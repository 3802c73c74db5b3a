"""Optimizers, with PyTorch's names and update rules; the schedules stand beside them, under the same name."""

import numpy as np

from minicompress import expect
from minicompress.engine import Tensor
from minicompress.nn.module import Sealed, unknown
from minicompress.nn.parameter import Parameter

from .schedules import CosineAnnealingLR as CosineAnnealingLR
from .schedules import LinearLR as LinearLR
from .schedules import StepLR as StepLR


class Optimizer(metaclass=Sealed):
    """Changes parameters by their gradients. ``lr`` is the learning rate; a schedule may set it between steps.

    A subclass writes ``update``, and names in ``state_names`` its arrays of the parameters' shapes.

    >>> from minicompress.nn import Parameter
    >>> class Sign(Optimizer):
    ...     def update(self, i, data, grad):
    ...         data -= self.lr * np.sign(grad)
    >>> p = Parameter([1.0]); p.grad = np.array([2.0], np.float32)
    >>> Sign([p], lr=0.25).step(); p.data
    array([0.75], dtype=float32)
    """

    state_names = ()

    def __init__(self, parameters, lr):
        self.parameters = list(parameters)
        expect.that(0 < len(self.parameters) == len(set(map(id, self.parameters))),
                    f"{len(self.parameters)} parameters to optimize: expected at least one, and none twice")
        for i, p in enumerate(self.parameters):
            expect.a(Tensor, f"parameter {i}", p, "what model.parameters() gives")
            expect.that(p.data.flags.writeable, f"parameter {i} of shape {p.shape} is blank or read-only: load its "
                        "values first")
        self.lr = self.initial_lr = expect.number("lr", lr, 0)
        self.steps = 0
        for name in self.state_names:
            setattr(self, name, [np.zeros_like(p.data) for p in self.parameters])

    def __setattr__(self, name, value):
        if "_sealed" in vars(self) and name not in vars(self):
            raise AttributeError(unknown(self, name))
        super().__setattr__(name, value)

    def zero_grad(self):
        """Forget all gradients."""
        for p in self.parameters:
            p.grad = None

    def step(self):
        """Change every parameter that has a gradient, then let its projections constrain it."""
        self.steps += 1
        for i, p in enumerate(self.parameters):
            if p.grad is not None:
                self.update(i, p.data, p.grad)
                if isinstance(p, Parameter):
                    p.constrain()

    def update(self, i, data, grad):
        """Change the i-th parameter's array in place."""
        raise NotImplementedError

    def state_dict(self):
        """All that a resumed run needs, as a flat dict of arrays and numbers."""
        state = {"lr": self.lr, "steps": self.steps}
        return state | {f"{name}.{i}": a.copy() for name in self.state_names for i, a in enumerate(getattr(self, name))}

    def load_state_dict(self, state):
        """Take back what `state_dict` gave.

        Raises KeyError for names that are missing or unknown, ValueError for a wrong shape; then nothing has changed.
        """
        arrays = {f"{name}.{i}": a for name in self.state_names for i, a in enumerate(getattr(self, name))}
        known = {"lr", "steps", *arrays}
        expect.that(state.keys() == known, f"the state holds {sorted(state)}, expected {sorted(known)}", KeyError)
        for name, array in arrays.items():
            expect.shaped(f"the state's {name}", state[name], array.shape, state[name].shape == array.shape)
        for name, array in arrays.items():
            array[...] = state[name]
        self.lr, self.steps = float(state["lr"]), int(state["steps"])


class SGD(Optimizer):
    """Stochastic gradient descent: v ← μv + g + λw, w ← w − η·v; with Nesterov w ← w − η·(g + λw + μv).

    η = lr, μ = momentum, λ = weight_decay, as PyTorch's SGD without dampening.

    >>> from minicompress.nn import Parameter
    >>> p = Parameter([1.0]); p.grad = np.array([2.0], np.float32)
    >>> SGD([p], lr=0.25).step(); p.data
    array([0.5], dtype=float32)
    """

    state_names = ("velocity",)

    def __init__(self, parameters, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
        expect.that(momentum or not nesterov, "nesterov is True, expected a momentum with it, above 0")
        super().__init__(parameters, lr)
        self.momentum, self.nesterov = expect.fraction("momentum", momentum, below=1), nesterov
        self.weight_decay = expect.number("weight_decay", weight_decay, 0)

    def update(self, i, data, grad):
        if self.weight_decay:
            grad = grad + data * self.weight_decay
        if self.momentum:
            v = self.velocity[i]
            v *= self.momentum
            v += grad
            grad = grad + v * self.momentum if self.nesterov else v
        data -= grad * self.lr


class Adam(Optimizer):
    """m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← w − η·m̂/(√v̂ + ε), bias-corrected (Kingma & Ba 2015, alg. 1).

    ``weight_decay`` adds λw to g, as PyTorch's Adam does.

    >>> from minicompress.nn import Parameter
    >>> p = Parameter([1.0]); p.grad = np.array([2.0], np.float32)
    >>> Adam([p], lr=0.25).step(); p.data
    array([0.75], dtype=float32)
    """

    state_names = ("mean", "square", "count")

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr)
        self.betas = tuple(expect.fraction(f"betas[{i}]", beta, below=1) for i, beta in enumerate(betas))
        self.eps, self.weight_decay = expect.number("eps", eps, above=0), expect.number("weight_decay", weight_decay, 0)
        self.count = [np.zeros((), np.int64) for _ in self.parameters]

    def update(self, i, data, grad):
        m, v, (b1, b2), real = self.mean[i], self.square[i], self.betas, data.dtype.type
        if self.weight_decay:
            grad = grad + data * real(self.weight_decay)
        m *= real(b1)
        m += grad * real(1 - b1)
        v *= real(b2)
        v += grad * grad * real(1 - b2)
        self.count[i] += 1  # a parameter's own steps: its first gradient may come late
        t = int(self.count[i])
        step = np.sqrt(v / real(1 - b2**t))  # √v̂
        step += real(self.eps)
        np.divide(m, step, out=step)
        step *= real(self.lr / (1 - b1**t))
        data -= step
