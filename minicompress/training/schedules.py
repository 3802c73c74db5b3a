"""Schedules: what sets an optimizer's learning rate, called before every step with (step, steps per epoch)."""

import math

from minicompress import expect


class StepLR:
    """lr = initial · gamma^⌊epoch / step_size⌋, called before every step with the step's number.

    >>> from minicompress.nn import Parameter
    >>> from minicompress.training.optim import SGD
    >>> optimizer = SGD([Parameter([1.0])], lr=1.0)
    >>> StepLR(optimizer, step_size=2, gamma=0.5)(step=50, steps_per_epoch=10); optimizer.lr
    0.25
    """

    def __init__(self, optimizer, step_size, gamma=0.1):
        self.optimizer = optimizer
        self.step_size, self.gamma = expect.positive(step_size=step_size, gamma=gamma)

    def holds(self):
        """The options, by which a checkpoint tells one from another."""
        return {"step_size": self.step_size, "gamma": self.gamma}

    def __call__(self, step, steps_per_epoch):
        epoch = step // steps_per_epoch
        self.optimizer.lr = self.optimizer.initial_lr * self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR:
    """lr = eta_min + (initial − eta_min)·(1 + cos(π·t/T_max))/2, t in epochs and fractions of one, at most T_max.

    Source: Loshchilov & Hutter 2017, eq. 5, without restarts.

    >>> from minicompress.nn import Parameter
    >>> from minicompress.training.optim import SGD
    >>> optimizer = SGD([Parameter([1.0])], lr=1.0)
    >>> CosineAnnealingLR(optimizer, T_max=2)(step=10, steps_per_epoch=10); round(optimizer.lr, 9)
    0.5
    """

    def __init__(self, optimizer, T_max, eta_min=0.0):
        self.optimizer, self.T_max, self.eta_min = optimizer, expect.number("T_max", T_max, above=0), eta_min

    def holds(self):
        """The options, by which a checkpoint tells one from another."""
        return {"T_max": self.T_max, "eta_min": self.eta_min}

    def __call__(self, step, steps_per_epoch):
        u = min(step / steps_per_epoch / self.T_max, 1.0)
        initial = self.optimizer.initial_lr
        self.optimizer.lr = self.eta_min + (initial - self.eta_min) * (1 + math.cos(math.pi * u)) / 2


class LinearLR:
    """Warm-up: lr is multiplied by a factor that rises evenly from start_factor to 1 in total_epochs, and then stays.

    It scales what the schedule before it in the list has set, so it stands behind one. Large gradients of the first
    steps, such as those of soft targets at a high temperature, then do no harm.

    >>> from minicompress.nn import Parameter
    >>> from minicompress.training.optim import SGD
    >>> optimizer = SGD([Parameter([1.0])], lr=1.0)
    >>> for schedule in (StepLR(optimizer, 10), LinearLR(optimizer, 0.0, total_epochs=2)):
    ...     schedule(step=5, steps_per_epoch=10)
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer, start_factor=1 / 3, total_epochs=5):
        self.optimizer, self.start_factor = optimizer, expect.fraction("start_factor", start_factor)
        self.total_epochs = expect.number("total_epochs", total_epochs, above=0)

    def holds(self):
        """The options, by which a checkpoint tells one from another."""
        return {"start_factor": self.start_factor, "total_epochs": self.total_epochs}

    def __call__(self, step, steps_per_epoch):
        u = min(step / steps_per_epoch / self.total_epochs, 1.0)
        self.optimizer.lr *= self.start_factor + (1 - self.start_factor) * u
