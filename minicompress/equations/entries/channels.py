"""Entries of pruning whole channels: their norms (PR-4), network slimming (PR-6), and surgery (PR-8)."""

import numpy as np

from .. import channels as literal
from ..ledger import Equation, Trap, resolve
from ..suite import agrees, close, hold
from .draw import eighths, listed, one_of, tensor

# ---------------------------------------------------------------------------------------------------------------------
# PR-4


def _permutes(f, w, order):
    close(f, f(w[::-1], order), f(w, order)[::-1], "exchanging filters must exchange their scores", 16)


def _homogeneous(f, w, order):
    close(f, f(-4 * w, order), 4 * f(w, order), "−4 times the weights must have 4 times the score", 16)


def _norm(reduce):
    return lambda w, order: reduce(np.abs(w), order)


NORM = Equation(
    id="PR-4", title="filter norm", source="Li et al. 2017, section 3.1",
    latex=r"s_j = \sum_i |F_{ji}| \;\text{ or }\; \lVert F_j \rVert_2",
    formula="s_j = Σ_i |F_ji| for order 1, √(Σ_i F_ji²) for 2",
    arguments={"w": "filters, one a row, (filters, weights)", "order": "1 or 2"}, results={"s": "scores, (filters,)"},
    implementation="minicompress.pruning.channels.filter_norm", reference=listed(literal.filter_norm),
    inputs=lambda rng, size: (eighths(rng, (size + 1, size)), one_of(rng, 1, 2)),
    properties={"filters are apart": _permutes, "grows with the weights": _homogeneous,
                "is what the formula gives": agrees(listed(literal.filter_norm), 64)},
    traps=(Trap("columns", "this sums down the columns: a filter is a row.", lambda w, order: np.resize(
               (np.abs(w) ** order).sum(axis=0) ** (1 / order), len(w))),
           Trap("missing abs", "abs is missing: weights of opposite signs cancel.",
                lambda w, order: w.sum(axis=1) if order == 1 else np.sqrt((w**2).sum(axis=1))),
           Trap("squared", "this is the squared norm: the root is missing.", _norm(lambda a, p: (a**p).sum(axis=1))),
           Trap("mean", "this is a mean: the norm is a sum.",
                _norm(lambda a, p: (a**p).mean(axis=1) ** (1 / p))),
           Trap("always 1", "the order is not used.", _norm(lambda a, p: a.sum(axis=1)))))

# ---------------------------------------------------------------------------------------------------------------------
# PR-6


def _rests_at_zero(f, gamma, strength):
    hold(f(np.zeros_like(gamma), strength) == 0, "at γ = 0 it is 0: what is zero stays zero")


def _one_size(f, gamma, strength):
    close(f, np.abs(f(gamma, strength)[gamma != 0]), np.full(np.count_nonzero(gamma), strength),
          "it has the size λ wherever γ is not 0, however small γ is", 16)


def _subgradients(gamma, strength):
    return [literal.slimming_subgradient(g, strength) for g in gamma]


def _slimmed(slimming):
    def function(gamma, strength):
        norm = resolve("minicompress.nn.BatchNorm1d")(gamma.size)
        norm.weight.set(gamma)
        slimming(strength, objective=lambda model, batch: tensor(np.float32(0)))(norm, None).backward()
        return norm.weight.grad
    return function


SLIMMING = Equation(
    id="PR-6", title="sub-gradient of network slimming", source="Liu et al. 2017, eq. 1",
    latex=r"\frac{\partial}{\partial \gamma} \lambda |\gamma| = \lambda\, \mathrm{sign}(\gamma),\; 0 \text{ at } 0",
    formula="λ·sign(γ), 0 at 0: what the penalty λ·Σ|γ| adds to ∂L/∂γ",
    arguments={"gamma": "scales of a batch norm, (channels,)", "strength": "λ, at least 0"},
    results={"g": "(channels,)"}, implementation="minicompress.pruning.slimming.slimming", adapt=_slimmed,
    reference=listed(_subgradients), single=True,
    inputs=lambda rng, size: (eighths(rng, size, 1), one_of(rng, 0.125, 0.5, 2.0)),
    cases=((np.array([0.0, -0.5]), 0.5),),
    properties={"rests at 0": _rests_at_zero, "has one size": _one_size,
                "is what the formula gives": agrees(listed(_subgradients), 16)},
    traps=(Trap("weight decay", "this is weight decay, λ·γ: it fades as γ shrinks, and reaches 0 never.",
                lambda gamma, strength: strength * gamma),
           Trap("sign of 0", "at 0 it is λ: then γ never rests.",
                lambda gamma, strength: np.where(gamma >= 0, 1, -1) * strength),
           Trap("λ forgotten", "λ is forgotten.", lambda gamma, strength: np.sign(gamma)),
           Trap("uphill", "the sign is turned: the penalty must pull towards 0.",
                lambda gamma, strength: -strength * np.sign(gamma))))

# ---------------------------------------------------------------------------------------------------------------------
# PR-8


def _zeroed(x, w1, b1, w2, b2, keep):
    gone = {("fc1", i) for i, kept in enumerate(keep) if not kept}
    network = [("dense", "fc1", w1, b1), ("relu",), ("dense", "fc2", w2, b2)]
    channels = [({("", i)}, [[value]]) for i, value in enumerate(x)]
    return [image[0][0] for _, image in literal.evaluate(network, channels, gone=gone)]


def _nothing_cut(f, x, w1, b1, w2, b2, keep):
    hidden = np.maximum(w1 @ x + b1, 0)
    close(f, f(x, w1, b1, w2, b2, np.ones_like(keep)), w2 @ hidden + b2, "with all units kept it is the whole network",
          64, 1 + np.abs(w2) @ hidden)


def _own_weights_do_not_matter(f, x, w1, b1, w2, b2, keep):
    loud = b1 + 100.0 * (keep == 0)
    close(f, f(x, w1, loud, w2, b2, keep), f(x, w1, b1, w2, b2, keep), "what a removed unit would have said must not "
          "matter, its bias neither", 64, 1 + np.abs(w2).sum() * 100)


def _surgery_inputs(rng, size):
    keep = rng.integers(0, 2, size + 1)
    keep[0] = 1
    shapes = 2, (size + 1, 2), size + 1, (2, size + 1), 2
    return *(eighths(rng, shape, 2) for shape in shapes), keep


def _cut(cut_channels):
    def function(x, w1, b1, w2, b2, keep):
        linear, parameter = resolve("minicompress.nn.Linear"), resolve("minicompress.nn.Parameter")
        model = resolve("minicompress.nn.Sequential")(
            {"fc1": linear(*w1.T.shape, rng=None), "act": resolve("minicompress.nn.ReLU")(),
             "fc2": linear(*w2.T.shape, rng=None)})
        for layer, w, b in ((model.fc1, w1, b1), (model.fc2, w2, b2)):
            layer.weight, layer.bias = parameter(w), parameter(b)
        smaller = cut_channels(model, x[None].astype(np.float32), {"fc1": np.flatnonzero(keep)})
        return smaller(tensor(x[None])).numpy()[0]
    return function


def _weights_only(x, w1, b1, w2, b2, keep):
    return w2 @ np.maximum((w1 * keep[:, None]) @ x + b1, 0) + b2


SURGERY = Equation(
    id="PR-8", title="cutting units out of a network", source="Li et al. 2017, section 3",
    latex=r"y = W_2[:, K]\; \mathrm{relu}(W_1[K]\, x + b_1[K]) + b_2",
    formula="y = W2[:, K]·relu(W1[K]·x + b1[K]) + b2 for the kept units K:\nthe same as zeroing what reads the others",
    arguments={"x": "input, (in,)", "w1": "(hidden, in)", "b1": "(hidden,)", "w2": "(out, hidden)", "b2": "(out,)",
               "keep": "1 for a hidden unit that stays, (hidden,)"},
    results={"y": "(out,)"}, implementation="minicompress.pruning.channels.cut_channels", adapt=_cut,
    reference=listed(_zeroed), inputs=_surgery_inputs,
    properties={"keeping all changes nothing": _nothing_cut, "what a removed unit says doesn't matter":
                _own_weights_do_not_matter, "is what the formula gives": agrees(
                    listed(_zeroed), 64, lambda x, w1, b1, w2, b2, keep: 1 + np.abs(w2).sum() * 9)},
    traps=(Trap("filter zeroed", "this zeroes the unit's weights: its bias still speaks.", _weights_only),
           Trap("nothing cut", "nothing is cut.", lambda x, w1, b1, w2, b2, keep: w2 @ np.maximum(w1 @ x + b1, 0) + b2),
           Trap("outputs cut", "this cuts the output, too.", lambda x, w1, b1, w2, b2, keep: w2 @ (
               np.maximum(w1 @ x + b1, 0) * keep) + b2 * keep.min()),
           Trap("no ReLU", "the non-linearity is lost.",
                lambda x, w1, b1, w2, b2, keep: w2 @ ((w1 @ x + b1) * keep) + b2)))

ENTRIES = (NORM, SLIMMING, SURGERY)
