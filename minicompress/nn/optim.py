"""Optimizers and their schedules, with PyTorch's names and update rules."""

import math

import numpy as np

from minicompress.engine import Tensor

from .module import Sealed, unknown
from .parameter import Parameter


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
        if not self.parameters or len(set(map(id, self.parameters))) < len(self.parameters):
            raise ValueError(f"{len(self.parameters)} parameters to optimize: expected at least one, and none twice")
        for i, p in enumerate(self.parameters):
            if not isinstance(p, Tensor):
                raise TypeError(f"parameter {i} is a {type(p).__name__}, expected what model.parameters() gives")
            if not p.data.flags.writeable:
                raise ValueError(f"parameter {i} of shape {p.shape} is blank or read-only: load its values first")
        if not (math.isfinite(lr) and lr >= 0):
            raise ValueError(f"lr is {lr}, expected a finite number of at least 0")
        self.lr = self.initial_lr = lr
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
        if state.keys() != {"lr", "steps", *arrays}:
            raise KeyError(f"the state holds {sorted(state)}, expected {sorted({'lr', 'steps', *arrays})}")
        for name, array in arrays.items():
            if state[name].shape != array.shape:
                raise ValueError(f"{name} has shape {array.shape}, the state's {state[name].shape}")
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
        if not 0 <= momentum < 1 or not 0 <= weight_decay < math.inf or (nesterov and momentum == 0):
            raise ValueError(f"momentum {momentum}, weight_decay {weight_decay}, nesterov {nesterov}: expected "
                             "0 <= momentum < 1, weight_decay >= 0, and a momentum for Nesterov")
        super().__init__(parameters, lr)
        self.momentum, self.weight_decay, self.nesterov = momentum, weight_decay, nesterov

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
        if not all(0 <= b < 1 for b in betas) or not eps > 0 or not 0 <= weight_decay < math.inf:
            raise ValueError(f"betas {betas}, eps {eps}, weight_decay {weight_decay}: expected 0 <= beta < 1, "
                             "eps > 0, weight_decay >= 0")
        super().__init__(parameters, lr)
        self.betas, self.eps, self.weight_decay = betas, eps, weight_decay
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


class StepLR:
    """lr = initial · gamma^⌊epoch / step_size⌋, called before every step with the step's number.

    >>> from minicompress.nn import Parameter
    >>> optimizer = SGD([Parameter([1.0])], lr=1.0)
    >>> StepLR(optimizer, step_size=2, gamma=0.5)(step=50, steps_per_epoch=10); optimizer.lr
    0.25
    """

    def __init__(self, optimizer, step_size, gamma=0.1):
        if not 0 < step_size or not 0 < gamma < math.inf:
            raise ValueError(f"step_size is {step_size} epochs and gamma {gamma}, expected more than 0")
        self.optimizer, self.step_size, self.gamma = optimizer, step_size, gamma

    def __call__(self, step, steps_per_epoch):
        epoch = step // steps_per_epoch
        self.optimizer.lr = self.optimizer.initial_lr * self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR:
    """lr = eta_min + (initial − eta_min)·(1 + cos(π·t/T_max))/2, t in epochs and fractions of one, at most T_max.

    Source: Loshchilov & Hutter 2017, eq. 5, without restarts.

    >>> from minicompress.nn import Parameter
    >>> optimizer = SGD([Parameter([1.0])], lr=1.0)
    >>> CosineAnnealingLR(optimizer, T_max=2)(step=10, steps_per_epoch=10); round(optimizer.lr, 9)
    0.5
    """

    def __init__(self, optimizer, T_max, eta_min=0.0):
        if not T_max > 0:
            raise ValueError(f"T_max is {T_max} epochs, expected more than 0")
        self.optimizer, self.T_max, self.eta_min = optimizer, T_max, eta_min

    def __call__(self, step, steps_per_epoch):
        u = min(step / steps_per_epoch / self.T_max, 1.0)
        initial = self.optimizer.initial_lr
        self.optimizer.lr = self.eta_min + (initial - self.eta_min) * (1 + math.cos(math.pi * u)) / 2


class LinearLR:
    """Warm-up: lr is multiplied by a factor that rises evenly from start_factor to 1 in total_epochs, and then stays.

    It scales what the schedule before it in the list has set, so it stands behind one. Large gradients of the first
    steps, such as those of soft targets at a high temperature, then do no harm.

    >>> from minicompress.nn import Parameter
    >>> optimizer = SGD([Parameter([1.0])], lr=1.0)
    >>> for schedule in (StepLR(optimizer, 10), LinearLR(optimizer, 0.0, total_epochs=2)):
    ...     schedule(step=5, steps_per_epoch=10)
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer, start_factor=1 / 3, total_epochs=5):
        if not 0 <= start_factor <= 1 or not 0 < total_epochs < math.inf:
            raise ValueError(f"start_factor is {start_factor} and total_epochs {total_epochs}, expected a factor from "
                             "0 to 1 and more than 0 epochs")
        self.optimizer, self.start_factor, self.total_epochs = optimizer, start_factor, total_epochs

    def __call__(self, step, steps_per_epoch):
        u = min(step / steps_per_epoch / self.total_epochs, 1.0)
        self.optimizer.lr *= self.start_factor + (1 - self.start_factor) * u
