"""Entries of training under a mask (PR-10), by SGD and by Adam."""

import numpy as np

from .. import pruning as literal
from ..ledger import Equation, Trap, resolve
from ..suite import agrees, hold
from .draw import eighths, one_of


def _masked_training(w, gradients, first, mask, lr, momentum, decay):
    weights, velocities = w.tolist(), [0.0] * len(w)
    for step, gradient in enumerate(gradients.tolist()):
        keep = mask.tolist() if step >= first else [1] * len(w)
        weights, velocities = literal.masked_sgd_step(weights, gradient, velocities, keep, lr, momentum, decay)
    return weights


def _masked_adam(w, gradients, first, mask, lr):
    weights, means, squares = w.tolist(), [0.0] * len(w), [0.0] * len(w)
    for step, gradient in enumerate(gradients.tolist()):
        keep = mask.tolist() if step >= first else [1] * len(w)
        weights, means, squares = literal.masked_adam_step(weights, gradient, means, squares, keep, lr, step + 1)
    return weights


def _pruned_is_plus_zero(f, w, gradients, first, mask, *rest):
    pruned = f(w, gradients, first, mask, *rest)[(mask == 0) & (first < len(gradients))].astype(np.float64)
    hold(pruned == 0, f"pruned weights must be exactly 0, they are {pruned.tolist()}")
    hold(~np.signbit(pruned), "pruned weights must be +0.0, not −0.0")


def _nothing_leaks(f, w, gradients, first, mask, *rest):
    poisoned = gradients.copy()
    poisoned[-1, (mask == 0) & (first < len(gradients))] = np.nan
    found = f(w, poisoned, first, mask, *rest)
    hold(np.isfinite(found), "a gradient of NaN at a pruned weight leaks: select with the mask, since NaN·0 is NaN")


def _training_inputs(rng, size):
    """Up to four steps, the mask from any of them on, or from a later one, which never comes."""
    steps, mask = int(rng.integers(1, 5)), np.append(0, rng.integers(0, 2, size))
    return (eighths(rng, size + 1), eighths(rng, (steps, size + 1), 2), int(rng.integers(steps + 1)), mask,
            one_of(rng, 0.125, 0.25, 0.5), one_of(rng, 0.0, 0.5, 0.75), one_of(rng, 0.0, 0.125))


def _masked_by(optimize):
    """The learner's function of the package's mask, ``optimize(parameters, *settings)`` being an optimizer of it."""
    def function(w, gradients, first, mask, *settings):
        parameter = resolve("minicompress.nn.Parameter")(w.copy())
        optimizer = optimize([parameter], *settings)
        for step, gradient in enumerate(gradients):
            if step == first:
                resolve("minicompress.nn.project")(parameter, resolve("minicompress.pruning.Mask")(mask))
            optimizer.zero_grad()
            (parameter.effective() * gradient).sum().backward()
            optimizer.step()
        return parameter.effective().numpy()
    return function


class _SGD:
    """How far a step goes: η·v."""

    def __init__(self, lr, momentum, decay):
        self.lr, self.momentum, self.decay, self.velocity = lr, momentum, decay, 0.0

    def step(self, w, gradient):
        self.velocity = self.momentum * self.velocity + gradient + self.decay * w
        return self.lr * self.velocity


class _Adam:
    """How far a step goes: η·m̂/(√v̂ + ε)."""

    def __init__(self, lr):
        self.lr, self.mean, self.square, self.t = lr, 0.0, 0.0, 0

    def step(self, w, gradient):
        self.t += 1
        self.mean = 0.9 * self.mean + (1 - 0.9) * gradient
        self.square = 0.999 * self.square + (1 - 0.999) * gradient**2
        return self.lr * (self.mean / (1 - 0.9**self.t)) / (np.sqrt(self.square / (1 - 0.999**self.t)) + 1e-8)


def _training(optimizer, change):
    """Training in which ``change(w, moved, mask)`` is what a mask does."""
    def function(w, gradients, first, mask, *settings):
        rule = optimizer(*settings)
        for t, gradient in enumerate(gradients):
            keep = mask if t >= first else np.ones_like(mask)
            w = change(w, w - rule.step(w, gradient), keep)
        return w
    return function


def _masked_gradient(optimizer):
    def function(w, gradients, first, mask, *settings):
        rule = optimizer(*settings)
        for t, gradient in enumerate(gradients):
            if t == first:
                w = np.where(mask, w, 0.0)
            w = w - rule.step(w, np.where(mask, gradient, 0.0) if t >= first else gradient)
        return w
    return function


def _mask_traps(optimizer, memory):
    return (Trap("multiplied", "this multiplies by the mask: that makes −0.0, and NaN·0 is NaN. Select instead.",
                 _training(optimizer, lambda w, moved, keep: moved * keep)),
            Trap("gradient masked", f"only the gradient is masked: {memory} from before revives what was pruned.",
                 _masked_gradient(optimizer)),
            Trap("masked before the step", "the mask is applied before the step, and the step revives what it pruned.",
                 _training(optimizer, lambda w, moved, keep: np.where(keep, w, 0.0) + (moved - w))),
            Trap("never masked", "the mask is not used.", _training(optimizer, lambda w, moved, keep: moved)),
            Trap("frozen", "this leaves pruned weights where they were: they must be 0.",
                 _training(optimizer, lambda w, moved, keep: np.where(keep, moved, w))))


TRAINED = {"w": "weights at the start, (n,)", "g": "gradients, (steps, n), a row for each step",
           "first": "number of the step, from 0, from which on the mask holds", "m": "mask, (n,), 0 or 1", "lr": "η"}
END = {"w_end": "weights after the last step, (n,)"}
STAYS_PRUNED = {"pruned weights are exactly +0.0": _pruned_is_plus_zero,
                "nothing leaks from below the mask": _nothing_leaks}

MASKED = Equation(
    id="PR-10", title="training under a mask", source="MindSpore's textbook, section 9.3; Han et al. 2015",
    latex=r"w \leftarrow m \odot (w - \eta v),\quad v \leftarrow \mu v + g + \lambda w",
    formula="at each step  v ← μ·v + g + λ·w,  w ← m ⊙ (w − η·v);  before the step `first` nothing is masked",
    arguments=TRAINED | {"momentum": "μ", "decay": "λ"}, results=END,
    implementation="minicompress.pruning.Mask", reference=_masked_training,
    adapt=lambda mask: _masked_by(resolve("minicompress.nn.optim.SGD")),
    inputs=_training_inputs,
    cases=((np.array([1.0, 2.0]), np.array([[1.0, 1.0], [1.0, np.nan]]), 1, np.array([1, 0]), 0.25, 0.5, 0.0),),
    properties=STAYS_PRUNED | {"is what the formula gives": agrees(
        _masked_training, 256, lambda w, g, *_: 1 + np.abs(w).max() + np.nansum(np.abs(g)))},
    traps=_mask_traps(_SGD, "momentum"))

MASKED_ADAM = Equation(
    id="PR-10:adam", title="training under a mask, by Adam", source="Han et al. 2015; Kingma & Ba 2015, algorithm 1",
    latex=r"w \leftarrow m \odot (w - \eta\, \hat m_t / (\sqrt{\hat v_t} + \epsilon))",
    formula="at step t = 1, 2, …  a ← 0.9·a + 0.1·g,  v ← 0.999·v + 0.001·g²,"
            "\n    w ← m ⊙ (w − η·(a/(1 − 0.9^t)) / (√(v/(1 − 0.999^t)) + 1e-8));"
            "\nbefore the step `first`, counted from 0, nothing is masked",
    arguments=TRAINED, results=END, implementation="minicompress.pruning.Mask", reference=_masked_adam,
    adapt=lambda mask: _masked_by(resolve("minicompress.nn.optim.Adam")),
    inputs=lambda rng, size: _training_inputs(rng, size)[:5],
    cases=((np.array([1.0, 2.0]), np.array([[1.0, 1.0], [1.0, np.nan]]), 1, np.array([1, 0]), 0.25),),
    properties=STAYS_PRUNED | {"is what the formula gives": agrees(_masked_adam, 4096, lambda w, *_: 4 + np.abs(w).max(
    ))},
    traps=_mask_traps(_Adam, "the mean of the gradients"))

ENTRIES = (MASKED, MASKED_ADAM)
