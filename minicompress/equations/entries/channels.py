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


def _absorbed(beta, w, b, keep):
    return literal.absorbed_bias(w, b, [max(x, 0.0) for x in beta], keep)


def _silent_add_nothing(f, beta, w, b, keep):
    close(f, f(-np.abs(beta), w, b, keep), b, "a channel with β ≤ 0 emits relu(β) = 0, which leaves the bias alone", 16)


def _kept_speak_for_themselves(f, beta, w, b, keep):
    close(f, f(beta, w, b, np.ones_like(keep)), b, "what is kept is not absorbed: with all kept the bias stays", 16)


def _some_kept(rng, size):
    keep = rng.integers(0, 2, size)
    keep[rng.integers(size)] = 1
    return keep


def _absorbing(cut_channels):
    def function(beta, w, b, keep):
        parameter, linear = resolve("minicompress.nn.Parameter"), resolve("minicompress.nn.Linear")
        norm = resolve("minicompress.nn.BatchNorm1d")(len(beta))
        model = resolve("minicompress.nn.Sequential")(
            {"fc1": linear(1, len(beta), rng=np.random.default_rng(0)), "norm": norm,
             "act": resolve("minicompress.nn.ReLU")(), "fc2": linear(*w.T.shape, rng=None)})
        norm.weight, norm.bias = parameter(np.float32(keep)), parameter(np.float32(beta))  # γ = 0 for the cut
        model.fc2.weight, model.fc2.bias = parameter(np.float32(w)), parameter(np.float32(b))
        smaller = cut_channels(model, np.zeros((1, 1), np.float32), {"fc1": np.flatnonzero(keep)}, absorb_bias=True)
        return smaller.fc2.bias.numpy()
    return function


ABSORBED = Equation(
    id="PR-6:absorb", title="what a channel with γ = 0 still says", source="Liu et al. 2017, section 3",
    latex=r"b'_i = b_i + \sum_{j \notin K} W_{ij}\, \mathrm{relu}(\beta_j)",
    formula="b'_i = b_i + Σ W_ij·relu(β_j) over the channels j that are cut: with γ_j = 0 they emit relu(β_j) always",
    arguments={"beta": "β of the batch norm, (channels,)", "w": "W of the dense layer behind it, (out, channels)",
               "b": "its bias, (out,)", "keep": "1 for a channel that stays, (channels,)"},
    results={"bias": "b', (out,)"}, implementation="minicompress.pruning.channels.cut_channels", adapt=_absorbing,
    reference=listed(_absorbed),
    inputs=lambda rng, size: (eighths(rng, size + 1, 2), eighths(rng, (2, size + 1), 2), eighths(rng, 2, 2),
                              _some_kept(rng, size + 1)),
    cases=((np.array([1.0, 2.0]), np.array([[1.0, 3.0]]), np.array([0.5]), np.array([1, 0])),),
    properties={"silent channels add nothing": _silent_add_nothing, "what is kept is not absorbed":
                _kept_speak_for_themselves, "is what the formula gives": agrees(listed(_absorbed), 64)},
    traps=(Trap("β forgotten", "nothing is absorbed: with γ = 0 the channel still emits relu(β).",
                lambda beta, w, b, keep: b),
           Trap("no ReLU", "the activation is missing: what is emitted is relu(β).",
                lambda beta, w, b, keep: b + w @ np.where(keep, 0, beta)),
           Trap("all channels", "this absorbs the channels that are kept, too, which still speak for themselves.",
                lambda beta, w, b, keep: b + w @ np.maximum(beta, 0)),
           Trap("weights forgotten", "the weights are missing that the next layer reads the channels with.",
                lambda beta, w, b, keep: b + np.maximum(beta, 0) @ (keep == 0))))

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


def _flat_zeroed(x, gamma, beta, w, b, keep):
    gone = {("norm", c) for c, kept in enumerate(keep) if not kept}
    network = [("norm", "norm", gamma, beta, [0.0] * len(x), [1.0] * len(x), 0.0), ("relu",), ("flatten",),
               ("dense", "fc", w, b)]
    channels = [({("", c)}, [row]) for c, row in enumerate(x)]
    return [image[0][0] for _, image in literal.evaluate(network, channels, gone=gone)]


def _flat(x, gamma, beta, w, b, kept=slice(None), columns=lambda w: w):
    """The network with some channels kept, and of W what ``columns`` makes of (out, channels, pixels)."""
    hidden = np.maximum(gamma[:, None] * x + beta[:, None], 0)[kept]
    return columns(w.reshape(len(w), *x.shape))[:, kept].reshape(len(w), -1) @ hidden.ravel() + b


def _flat_nothing_cut(f, x, gamma, beta, w, b, keep):
    close(f, f(x, gamma, beta, w, b, np.ones_like(keep)), _flat(x, gamma, beta, w, b),
          "with all channels kept it is the whole network", 64, 1 + np.abs(w).sum() * 6)


def _flat_silenced(f, x, gamma, beta, w, b, keep):
    loud = beta + 100.0 * (keep == 0)
    close(f, f(x, gamma, loud, w, b, keep), f(x, gamma, beta, w, b, keep),
          "what a removed channel would have said must not matter, its β neither", 64, 1 + np.abs(w).sum() * 106)


def _flat_inputs(rng, size):
    channels, pixels = size + 1, int(rng.integers(1, 4))
    return (eighths(rng, (channels, pixels), 2), eighths(rng, channels, 2), eighths(rng, channels, 2),
            eighths(rng, (2, channels * pixels), 2), eighths(rng, 2, 2), _some_kept(rng, channels))


def _cut_before_flatten(cut_channels):
    def function(x, gamma, beta, w, b, keep):
        parameter, channels = resolve("minicompress.nn.Parameter"), len(x)
        norm, relu = resolve("minicompress.nn.BatchNorm2d")(channels), resolve("minicompress.nn.ReLU")()
        model = resolve("minicompress.nn.Sequential")(
            {"conv": resolve("minicompress.nn.Conv2d")(channels, channels, 1, bias=False, rng=None), "norm": norm,
             "act": relu, "flat": resolve("minicompress.nn.Flatten")(),
             "fc": resolve("minicompress.nn.Linear")(*w.T.shape, rng=None)})
        model.conv.weight = parameter(np.eye(channels)[:, :, None, None])  # so that x is what the norm reads
        norm.weight, norm.bias = parameter(gamma * np.sqrt(1 + norm.eps)), parameter(beta)
        model.fc.weight, model.fc.bias = parameter(w), parameter(b)
        image = x[None, :, None]  # (1, C, 1, P)
        smaller = cut_channels(model, image.astype(np.float32), {"conv": np.flatnonzero(keep)}).eval()
        return smaller(tensor(image)).numpy()[0]
    return function


FLATTENED = Equation(
    id="PR-8:flatten", title="cutting channels before a batch norm and a flatten", source="Li et al. 2017, section 3",
    latex=r"y = \sum_{c \in K} \sum_p W_{\cdot,\, cP + p}\, \mathrm{relu}(\gamma_c x_{cp} + \beta_c) + b",
    formula="y = Σ_c Σ_p W[:, c·P + p]·relu(γ_c·x_cp + β_c) + b over the kept channels c and all pixels p:"
            "\nevery channel has P columns of W behind the flatten, one next to the other",
    arguments={"x": "normalised maps, (channels, P)", "gamma": "γ, (channels,)", "beta": "β, (channels,)",
               "w": "W of the dense layer, (out, channels·P)", "b": "its bias, (out,)",
               "keep": "1 for a channel that stays, (channels,)"},
    results={"y": "(out,)"}, implementation="minicompress.pruning.channels.cut_channels", adapt=_cut_before_flatten,
    reference=listed(_flat_zeroed), inputs=_flat_inputs,
    cases=((np.ones((2, 2)), np.ones(2), np.ones(2), np.array([[1.0, 2.0, 3.0, 4.0]]), np.zeros(1), np.array([1, 0])),),
    properties={"keeping all changes nothing": _flat_nothing_cut, "what a removed channel says doesn't matter":
                _flat_silenced, "is what the formula gives": agrees(
                    listed(_flat_zeroed), 64, lambda x, gamma, beta, w, b, keep: 1 + np.abs(w).sum() * 6)},
    traps=(Trap("γ zeroed", "this zeroes the channel before the batch norm adds β: relu(β) still speaks.",
                lambda x, gamma, beta, w, b, keep: _flat(x, gamma * keep, beta, w, b)),
           Trap("pixels first", "the columns are taken as if pixels came first: behind a flatten channel c has columns "
                                "c·P to c·P + P − 1.", lambda x, gamma, beta, w, b, keep: _flat(
                                    x, gamma, beta, w, b, keep == 1, lambda w: w.reshape(
                                        len(w), *x.T.shape).swapaxes(1, 2))),
           Trap("first columns", "the first columns are kept, not those of the channels that stay.",
                lambda x, gamma, beta, w, b, keep: _flat(
                    x, gamma, beta, w, b, keep == 1, lambda w: w[:, np.cumsum(keep) - 1])),
           Trap("nothing cut", "nothing is cut.", lambda x, gamma, beta, w, b, keep: _flat(x, gamma, beta, w, b))))

ENTRIES = (NORM, SLIMMING, ABSORBED, SURGERY, FLATTENED)
