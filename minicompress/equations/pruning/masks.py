"""Training under a mask, by SGD (PR-10) and by Adam (PR-10:adam)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, resolve
from minicompress.checker.paper import Paper
from minicompress.checker.properties import hold

from ..quantization.affine import MAI_2022
from .magnitude import HAN_2015

KINGMA_2015 = Paper("kingma2015adam", ("Kingma, Diederik P.", "Ba, Jimmy"),
                    "Adam: A Method for Stochastic Optimization", 2015, "ICLR", arxiv="1412.6980")


def _training_inputs(rng, size):
    """Up to four steps, the mask from any of them on, or from a later one, which never comes."""
    steps, mask = int(rng.integers(1, 5)), rng.integers(0, 2, size)
    mask = one_of(rng, mask, mask, mask, 0 * mask, 0 * mask + 1)  # some, all or none pruned
    return (eighths(rng, size), eighths(rng, (steps, size), 2), int(rng.integers(steps + 1)), mask,
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


def _pruned_is_plus_zero(f, w, gradients, first, mask, *rest):
    pruned = f(w, gradients, first, mask, *rest)[(mask == 0) & (first < len(gradients))].astype(np.float64)
    hold(pruned == 0, f"pruned weights must be exactly 0, they are {pruned.tolist()}")
    hold(~np.signbit(pruned), "pruned weights must be +0.0, not −0.0")


def _nothing_leaks(f, w, gradients, first, mask, *rest):
    poisoned = gradients.copy()
    poisoned[-1, (mask == 0) & (first < len(gradients))] = np.nan
    found = f(w, poisoned, first, mask, *rest)
    hold(np.isfinite(found), "a gradient of NaN at a pruned weight leaks: select with the mask, since NaN·0 is NaN")


class _SGD:
    """How far a step goes: η·v."""

    def __init__(self, lr, momentum, decay, share=1.0):
        self.lr, self.momentum, self.decay, self.share, self.velocity = lr, momentum, decay, share, 0.0

    def step(self, w, gradient):
        self.velocity = self.momentum * self.velocity + self.share * (gradient + self.decay * w)
        return self.lr * self.velocity


class _Adam:
    """How far a step goes: η·â/(√v̂ + ε)."""

    def __init__(self, lr, corrected=True):
        self.lr, self.corrected, self.mean, self.square, self.t = lr, corrected, 0.0, 0.0, 0

    def step(self, w, gradient):
        self.t += 1
        self.mean = 0.9 * self.mean + (1 - 0.9) * gradient
        self.square = 0.999 * self.square + (1 - 0.999) * gradient**2
        shares = (1 - 0.9**self.t, 1 - 0.999**self.t) if self.corrected else (1, 1)
        return self.lr * (self.mean / shares[0]) / (np.sqrt(self.square / shares[1]) + 1e-8)


def _selected(w, moved, keep):
    return np.where(keep, moved, 0.0)


def _training(optimizer, change=_selected, later=0):
    """Training in which ``change(w, moved, mask)`` is what a mask does, from so many steps later on."""
    def function(w, gradients, first, mask, *settings):
        rule = optimizer(*settings)
        for t, gradient in enumerate(gradients):
            keep = mask if t >= first + later else np.ones_like(mask)
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


def _enter_mask_traps(page, optimizer, memory):
    page.trap("multiplied", "this multiplies by the mask: that makes −0.0, and NaN·0 is NaN. Select instead.",
              _training(optimizer, lambda w, moved, keep: moved * keep))
    page.trap("gradient masked", f"only the gradient is masked: {memory} from before revives what was pruned.",
              _masked_gradient(optimizer), seen=page.id == "PR-10")
    page.trap("masked before the step", "the mask is applied before the step, and the step revives what it pruned.",
              _training(optimizer, lambda w, moved, keep: np.where(keep, w, 0.0) + (moved - w)))
    page.trap("never masked", "the mask is not used.", _training(optimizer, lambda w, moved, keep: moved))
    page.trap("frozen", "this leaves pruned weights where they were: they must be 0.",
              _training(optimizer, lambda w, moved, keep: np.where(keep, moved, w)))
    page.trap("a step late", "the mask begins a step late: it holds in the step `first` already, counted from 0.",
              _training(optimizer, later=1))
    page.trap("in the end alone", "the mask is applied once, behind the last step, even if `first` never comes.",
              lambda w, g, first, m, *settings: np.where(m, _training(optimizer, later=99)(w, g, first, m, *settings),
                                                         0.0))


# ---------------------------------------------------------------------------------------------------------------------
# PR-10

@page("PR-10", cite=(MAI_2022("section 9.3.2"), HAN_2015("section 4")),
      latex=r"v \leftarrow \mu v + g_t + \lambda w,\quad w \leftarrow m_t \odot (w - \eta v),\quad t = 0, 1, \dots,"
            r"\quad m_t = m \text{ if } t \ge \text{first, else } 1",
      implementation="minicompress.pruning.Mask",
      adapt=lambda mask: _masked_by(resolve("minicompress.training.optim.SGD")),
      inputs=_training_inputs,
      cases=((np.array([1.0, 2.0]), np.array([[1.0, 1.0], [1.0, np.nan]]), 1, np.array([1, 0]), 0.25, 0.5, 0.0),
             (np.array([1.0, -1.0]), np.array([[1.0, -2.0], [0.0, -2.0], [1.0, 0.5]]), 1, np.array([1, 0]), 0.25, 0.5,
              0.125)))
def masked_training(w, g, first, m, lr, momentum, decay):
    """training under a mask

    v ← μ·v + g_t + λ·w,   w ← m_t ⊙ (w − η·v),   t = 0, 1, …,   m_t = m if t ≥ first, else 1

    w : weights at the start, (n,)
    g : gradients, (steps, n), a row for each step
    first : number of the step, from 0, from which on the mask holds, an integer
    m : mask, (n,), integers 0 and 1
    lr : η, learning rate, a number
    momentum : μ, a number from 0 to 1
    decay : λ, weight decay, a number
    w_end : weights after the last step, (n,)

    v : velocity, 0 at the start, (n,); it goes on below the mask
    t : step, an integer
    ⊙ : a product that selects: +0.0 where m is 0, never −0.0, and also where the weight would be NaN

    >>> masked_training([1.0, 2.0], [[0.5, 0.5], [0.5, 0.5]], 1, [1, 0], 1.0, 0.5, 0.0)
    [-0.25, 0.0]
    """
    v = [0.0] * len(w)
    for t, g_t in enumerate(g):
        w, v = masked_sgd_step(w, g_t, v, m if t >= first else [1] * len(w), lr, momentum, decay)
    return w


def masked_sgd_step(w, g, v, m, lr, momentum, decay):
    """One step of `masked_training`: the new (w, v).

    >>> masked_sgd_step([1.0, 2.0], [0.5, 0.5], [0.0, 4.0], [1, 0], lr=1.0, momentum=0.5, decay=0.0)
    ([0.5, 0.0], [0.5, 2.5])
    """
    new_w, new_v = [], []
    for w_i, g_i, v_i, m_i in zip(w, g, v, m, strict=True):
        v_i = momentum * v_i + g_i + decay * w_i
        new_v.append(v_i)
        new_w.append(w_i - lr * v_i if m_i else 0.0)
    return new_w, new_v


masked_training.must("pruned weights are exactly +0.0", _pruned_is_plus_zero)
masked_training.must("nothing leaks from below the mask", _nothing_leaks)


def _decay_apart(w, gradients, first, mask, lr, momentum, decay):
    """Decay beside the momentum, as AdamW has it."""
    shrunk = _training(_SGD, lambda w, moved, keep: np.where(keep, moved - lr * decay * w, 0.0))
    return shrunk(w, gradients, first, mask, lr, momentum, 0.0)


masked_training.must_agree(256, lambda w, g, *_: 1 + np.abs(w).max() + np.nansum(np.abs(g)))
_enter_mask_traps(masked_training, _SGD, "momentum")
masked_training.trap("dampened", "the gradient is weighted by 1 − μ: here v is no mean, g is added whole.", _training(
    lambda lr, momentum, decay: _SGD(lr, momentum, decay, 1 - momentum)))
masked_training.trap("no momentum", "the velocity is forgotten from step to step.", _training(
    lambda lr, momentum, decay: _SGD(lr, 0.0, decay)))
masked_training.trap("no decay", "λ is not used: λ·w is added to the gradient.", _training(
    lambda lr, momentum, decay: _SGD(lr, momentum, 0.0)))
masked_training.trap("decay apart", "λ·w is taken off beside the velocity: it belongs into it.", _decay_apart)

# ---------------------------------------------------------------------------------------------------------------------
# PR-10:adam


@page("PR-10:adam", cite=(HAN_2015("section 4"), KINGMA_2015("algorithm 1")),
      latex=r"a \leftarrow 0.9 a + 0.1 g_t,\quad v \leftarrow 0.999 v + 0.001 g_t^2,\quad w \leftarrow m_t \odot \left("
            r"w - \eta\, \frac{a / (1 - 0.9^{t+1})}{\sqrt{v / (1 - 0.999^{t+1})} + 10^{-8}}\right),\quad "
            r"t = 0, 1, \dots,\quad m_t = m \text{ if } t \ge \text{first, else } 1",
      implementation="minicompress.pruning.Mask",
      adapt=lambda mask: _masked_by(resolve("minicompress.training.optim.Adam")),
      inputs=lambda rng, size: _training_inputs(rng, size)[:5],
      cases=((np.array([1.0, 2.0]), np.array([[1.0, 1.0], [1.0, np.nan]]), 1, np.array([1, 0]), 0.25),
             (np.array([1.0, -1.0]), np.array([[1.0, -2.0], [0.0, -2.0], [1.0, 0.5]]), 1, np.array([1, 0]), 0.25)))
def masked_adam(w, g, first, m, lr):
    """training under a mask, by Adam

    a ← 0.9·a + 0.1·g_t,   v ← 0.999·v + 0.001·g_t²,
    w ← m_t ⊙ (w − η·(a/(1 − 0.9^(t + 1))) / (√(v/(1 − 0.999^(t + 1))) + 10⁻⁸)),
    t = 0, 1, …,   m_t = m if t ≥ first, else 1

    w : weights at the start, (n,)
    g : gradients, (steps, n), a row for each step
    first : number of the step, from 0, from which on the mask holds, an integer
    m : mask, (n,), integers 0 and 1
    lr : η, learning rate, a number
    w_end : weights after the last step, (n,)

    a : mean of the gradients, 0 at the start, (n,); it goes on below the mask
    v : mean of their squares, 0 at the start, (n,); it, too
    t : step, an integer
    ⊙ : a product that selects: +0.0 where m is 0, never −0.0, and also where the weight would be NaN

    >>> [round(w, 6) for w in masked_adam([1.0, 2.0], [[0.5, 0.5]], 0, [1, 0], 0.5)]
    [0.5, 0.0]
    """
    a, v = [0.0] * len(w), [0.0] * len(w)
    for t, g_t in enumerate(g):
        w, a, v = masked_adam_step(w, g_t, a, v, m if t >= first else [1] * len(w), lr, t)
    return w


def masked_adam_step(w, g, a, v, m, lr, t):
    """Step t, from 0, of `masked_adam`: the new (w, a, v).

    >>> new_w, *_ = masked_adam_step([1.0, 2.0], [0.5, 0.5], [0.0, 0.0], [0.0, 0.0], [1, 0], lr=0.5, t=0)
    >>> [round(w, 6) for w in new_w]
    [0.5, 0.0]
    """
    new_w, new_a, new_v = [], [], []
    for w_i, g_i, a_i, v_i, m_i in zip(w, g, a, v, m, strict=True):
        a_i = 0.9 * a_i + (1 - 0.9) * g_i
        v_i = 0.999 * v_i + (1 - 0.999) * g_i ** 2
        new_a.append(a_i)
        new_v.append(v_i)
        step = a_i / (1 - 0.9 ** (t + 1)) / ((v_i / (1 - 0.999 ** (t + 1))) ** 0.5 + 1e-8)
        new_w.append(w_i - lr * step if m_i else 0.0)
    return new_w, new_a, new_v


masked_adam.must("pruned weights are exactly +0.0", _pruned_is_plus_zero)
masked_adam.must("nothing leaks from below the mask", _nothing_leaks)
masked_adam.must_agree(4096, lambda w, *_: 4 + np.abs(w).max())
_enter_mask_traps(masked_adam, _Adam, "the mean of the gradients")
masked_adam.trap("not corrected", "the means are not divided by 1 − 0.9^(t + 1) and 1 − 0.999^(t + 1), so they lag "
                 "behind at first: they begin at 0.", _training(lambda lr: _Adam(lr, corrected=False)))
