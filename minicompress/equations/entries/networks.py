"""Entries of what is done with whole networks: sensitivity (PR-13), training from scratch (PR-18), and QAT (QU-9)."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .. import affine, pruning
from ..ledger import Equation, Trap, resolve
from ..suite import agrees, hold
from .draw import eighths, listed, one_of, weights
from .linear import JACOB
from .pruning import ranked

# ---------------------------------------------------------------------------------------------------------------------
# PR-13

EXAMPLES = 16


@dataclass(frozen=True, repr=False)
class Wrong:
    """A network's error: it adds up what its layers say of an example, x·w, and says yes above 0."""

    x: list  # (EXAMPLES, n) for each layer of n weights
    labels: np.ndarray

    def __call__(self, weights):
        says = sum(x @ np.asarray(w, np.float64) for x, w in zip(self.x, weights, strict=True))
        return float(np.mean((says > 0) != self.labels))

    def __repr__(self):
        return f"a function: the share of {EXAMPLES} examples that a network of such weights gets wrong"


def _network(rng, size):
    """A network that gets two examples wrong, at the most, and sparsities in any order."""
    layers = [weights(rng, size + 1) for _ in range(2 + int(rng.integers(2)))]
    x = [rng.integers(-4, 5, (EXAMPLES, len(w))).astype(np.float64) for w in layers]
    labels = sum(inputs @ w for inputs, w in zip(x, layers, strict=True)) > 0
    labels[:2] = rng.random(2) < 0.5
    return Wrong(x, labels), layers, rng.integers(0, 101, 1 + int(rng.integers(3))) / 100


def _baseline(f, error, weights, sparsities):
    found, own = f(error, weights, np.append(sparsities, 0.0))[:, -1], error(weights)
    hold(found == own, f"at sparsity 0, asked for last, the errors are {found.tolist()}, but the network's is {own}")


def _gone(f, error, weights, sparsities):
    for i, found in enumerate(f(error, weights, np.array([1.0]))[:, 0]):
        without = error([w * (j != i) for j, w in enumerate(weights)])
        hold(found == without, f"at sparsity 1 nothing is left of layer {i}, so its error is {without}, not {found}")


def _others_rest(f, error, weights, sparsities):
    changed = []

    def watching(given):
        changed.append([i for i, (a, b) in enumerate(zip(given, weights, strict=False)) if not np.array_equal(a, b)])
        return error(given)
    f(watching, weights, sparsities)
    worst = max(changed, key=len, default=[])
    hold(len(worst) <= 1, f"layers {worst} were changed at once: all but one stay as they are, bit for bit")


def _pruned(w, s, **options):
    return np.where(ranked(w, s, **options), w, 0.0)


def _one_by_one(prune=_pruned, between_layers=True, between_levels=True):
    """The sensitivity with any way to prune, which puts a layer back or not."""
    def function(error, weights, sparsities):
        net, errors = list(weights), []
        for i, w in enumerate(weights):
            for s in sparsities:
                net[i] = prune(w if between_levels else net[i], s)
                errors.append(error(net))
            if between_layers:
                net[i] = w
        return np.reshape(errors, (len(weights), len(sparsities)))
    return function


def _all_at_once(error, weights, sparsities):
    return [[error([_pruned(w, s) for w in weights]) for s in sparsities] for _ in weights]


def _rise(error, weights, sparsities):
    return _one_by_one()(error, weights, sparsities) - error(weights)


def _of_a_model(sensitivity):
    """The package's, for a model of these weights whose share of wrong answers is the error."""
    def function(error, weights, sparsities):
        parameter, tensor = resolve("minicompress.nn.Parameter"), resolve("minicompress.engine.Tensor")

        class Model(resolve("minicompress.nn.Module")):
            def __init__(self):
                super().__init__()
                for i, w in enumerate(weights):
                    setattr(self, f"layer{i}", parameter(w[None].astype(np.float32)))

            def forward(self, x):
                layers = [layer.effective().numpy()[0] for _, layer in self.named_parameters(projections=False)]
                wrong = x.numpy() < EXAMPLES * error(layers)
                return tensor(np.hstack([~wrong, wrong]).astype(np.float32))

        numbered = np.arange(EXAMPLES, dtype=np.float32)[:, None], np.zeros(EXAMPLES, int)
        return np.array(list(sensitivity(Model(), numbered, sparsities).values()))
    return function


SENSITIVITY = Equation(
    id="PR-13", title="sensitivity of each layer to pruning", source="Han et al. 2015, section 4",
    latex=r"E_{ls} = \mathrm{error}(w_1, \dots, m_s(w_l) \odot w_l, \dots, w_L),\quad m_s \text{ as in PR-2}",
    formula="E[l][s] = error of the network with layer l pruned by magnitude to sparsity s, all others as they are",
    arguments={"error": "a function: the error of a network, for a list of weights like the next", "weights":
               "of each layer, a list of arrays (n_l,)", "sparsities": "fractions, in any order, (levels,)"},
    results={"errors": "(layers, levels)"},
    implementation="minicompress.pruning.sensitivity.sensitivity", adapt=_of_a_model,
    reference=listed(pruning.sensitivity), inputs=_network,
    properties={"at sparsity 0 it is the network's own error": _baseline, "at sparsity 1 the layer is gone": _gone,
                "all other layers stay, bit for bit": _others_rest,
                "is what the formula gives": agrees(listed(pruning.sensitivity), 4)},
    traps=(Trap("from layer to layer", "a layer stays pruned while the next is measured: put it back first.",
                _one_by_one(between_layers=False)),
           Trap("from level to level", "each sparsity prunes what the one before has left: begin with the dense layer.",
                _one_by_one(between_levels=False)),
           Trap("all at once", "all layers are pruned at once: asked for is one alone.", _all_at_once),
           Trap("percent", "this takes a sparsity for a percentage: it is a fraction.",
                _one_by_one(lambda w, s: _pruned(w, s / 100))),
           Trap("density", "this keeps a share s of the weights: a sparsity says how many go.",
                _one_by_one(lambda w, s: _pruned(w, 1 - s))),
           Trap("largest first", "this prunes the largest magnitudes.",
                _one_by_one(lambda w, s: _pruned(w, s, key=lambda v: -np.abs(v)))),
           Trap("rise", "this is by how much the error rises: asked for is the error.", _rise)))

# ---------------------------------------------------------------------------------------------------------------------
# PR-18


def _cut(rng, size):
    """(epochs, MACs, parameters), these of the large network and the small: with convolutions two different ratios."""
    small, few = rng.integers(10, 100, 2).tolist()
    macs = np.array([small * int(rng.integers(1, 9)) + int(rng.integers(9)), small])
    return int(rng.integers(1, 5 * size)), macs, np.array([few * int(rng.integers(2, 9)), few])


def _same_epochs(f, epochs, macs, parameters):
    hold(f(epochs, macs, parameters)[0] == epochs, f"Scratch-E has the large network's epochs, {epochs}")


def _same_macs(f, epochs, macs, parameters):
    scratch_b = float(f(epochs, macs, parameters)[1])
    large, small = macs.tolist()
    hold(scratch_b.is_integer(), f"Scratch-B is {scratch_b:g} epochs, expected a whole number")
    hold(2 * abs(scratch_b * small - epochs * large) <= small,
         f"Scratch-B spends {scratch_b:g}·{small} = {scratch_b * small:g} MACs on each example, the large network "
         f"{epochs}·{large} = {epochs * large}: they differ by more than half an epoch")


def _half_is_twice(f, epochs, macs, parameters):
    found = f(epochs, macs[1] * np.array([2, 1]), parameters)[1]
    hold(found == 2 * epochs, f"at half the MACs Scratch-B is twice the epochs, {2 * epochs}")


def _scratch(budget):
    """(Scratch-E, budget(epochs, macs, parameters))"""
    return lambda epochs, macs, parameters: (epochs, budget(epochs, macs, parameters))


def _printed_scratch(epochs, macs, parameters):
    return pruning.scratch_epochs(epochs, *macs.tolist())


def _by_budget(scratch_epochs):
    return lambda epochs, macs, parameters: tuple(scratch_epochs(epochs, *macs.tolist())[name] for name in "EB")


SCRATCH = Equation(
    id="PR-18", title="how long a cut network's shape trains from scratch", source="Liu et al. 2019, section 3",
    latex=r"e_E = e,\quad e_B = \mathrm{round}(e \cdot \mathrm{MACs}_{large} / \mathrm{MACs}_{small})",
    formula="Scratch-E = e, as many epochs;  Scratch-B = round(e · MACs_large / MACs_small), as many MACs",
    arguments={"epochs": "e, of the large network", "macs": "for one example, (2,): of the large network, of the small",
               "parameters": "how many the large has, and the small, (2,)"},
    results={"scratch_e": "epochs", "scratch_b": "epochs, a whole number; at a half either neighbour"},
    implementation="minicompress.pruning.scratch_epochs", adapt=_by_budget,
    reference=_printed_scratch, inputs=_cut,
    properties={"Scratch-E is as many epochs": _same_epochs, "Scratch-B is as many MACs": _same_macs,
                "half the MACs are twice the epochs": _half_is_twice},
    traps=(Trap("swapped", "the two budgets have changed places: E stands for epochs, B for the budget of MACs.",
                lambda e, macs, parameters: (round(e * macs[0] / macs[1]), e)),
           Trap("inverted", "the ratio is inverted: a cheaper network gets more epochs, not fewer.",
                _scratch(lambda e, macs, parameters: round(e * macs[1] / macs[0]))),
           Trap("parameters", "this is the ratio of parameters: the budget is one of MACs.",
                _scratch(lambda e, macs, parameters: round(e * parameters[0] / parameters[1]))),
           Trap("twice", "this doubles the epochs, which is right for a network of half the MACs only.",
                _scratch(lambda e, macs, parameters: 2 * e)),
           Trap("on top", "this adds the budget to the epochs of Scratch-E.",
                _scratch(lambda e, macs, parameters: e + round(e * macs[0] / macs[1]))),
           Trap("part of an epoch", "this is no whole number of epochs.",
                _scratch(lambda e, macs, parameters: e * macs[0] / macs[1]))))

# ---------------------------------------------------------------------------------------------------------------------
# QU-9

LOW, HIGH = affine.code_bounds(8)


def _layer(rng, size):
    """Scales whose quotients M are simple fractions, so that halves abound, and floats are exact."""
    s1, s2 = one_of(rng, 0.125, 0.1875), one_of(rng, 0.125, 2.0**-7)
    s3, z1, z3 = s1 * one_of(rng, 0.25, 0.375, 0.5), one_of(rng, LOW, -1, 0, 5), one_of(rng, LOW, -3, 0, 7)
    return eighths(rng, size, 2), eighths(rng, size, 1), float(eighths(rng, (), 1)), s1, z1, s2, s3, z3, *_m(s1, s2, s3)


def _m(s1, s2, s3):
    return affine.fixed_point_multiplier(Fraction(s1) * Fraction(s2) / Fraction(s3))


def _steps(train="codes", *, refit=False, z1_out=1, z3_out=1, bias=1, clip=np.clip):
    """Training and export, with what the traps vary."""
    def function(x, w, b, s1, z1, s2, s3, z3, m0, n):
        q1 = np.clip(np.rint(x / s1 + z1), LOW, HIGH)

        def total(s2, z1):
            return (q1 - z1) @ np.clip(np.rint(w / s2), LOW, HIGH) + bias * np.rint(b / (s1 * s2))

        def code(total):
            return clip(z3_out * z3 + affine.multiply_by(m0, n, int(total)), LOW, HIGH)

        exported = code(total(np.abs(w).max() / HIGH or 1.0 if refit else s2, z1_out * z1))
        real = s1 * s2 * total(s2, z1)
        y = {"codes": s3 * (code(total(s2, z1)) - z3), "real": real, "float": x @ w + b,
             "product": s3 * (np.clip(np.rint(real / s3 + z3), LOW, HIGH) - z3)}
        return y[train], exported
    return function


def _as_exported(f, x, w, b, s1, z1, s2, s3, z3, *m):
    y, q = map(float, f(x, w, b, s1, z1, s2, s3, z3, *m))
    hold(y == s3 * (q - z3), f"in training the output is {y:g}, once exported it is S₃·(q − Z₃) = {s3 * (q - z3):g}")


def _has_a_code(f, *inputs):
    q = f(*inputs)[1]
    hold((q >= LOW) & (q <= HIGH) & (q == np.rint(q)), f"{float(q):g} is no code from {LOW} to {HIGH}")


def _cut_off_before(f, x, w, b, s1, z1, *rest):
    inside = np.clip(x, s1 * (LOW - z1), s1 * (HIGH - z1))
    for a, c in zip(f(x, w, b, s1, z1, *rest), f(inside, w, b, s1, z1, *rest), strict=True):
        hold(a == c, "what lies beyond the range of the inputs counts as its edge")


def _four_steps(convert):
    """The package's: prepare, choose the ranges, move the weights as training does and predict; then convert."""
    def function(x, w, b, s1, z1, s2, s3, z3, *_):
        nn, tensor = "minicompress.nn.", resolve("minicompress.engine.Tensor")
        linear = resolve(nn + "Linear")(len(w), 1, rng=np.random.default_rng(0))
        linear.weight.set(np.full(linear.weight.shape, HIGH * s2))
        model = resolve(nn + "Sequential")({"layer": linear})
        net = resolve("minicompress.quantization.prepare")(model, per_channel=False)
        net.layer.bits = 8  # the last layer's codes have 16
        for place, s, z in ((net.quantize, s1, z1), (net.layer, s3, z3)):
            place.range[:] = s * (LOW - z), s * (HIGH - z)
        net.layer.layer.weight.set(w[None])
        net.layer.layer.bias.set([b])
        inputs, integer = tensor(x[None].astype(np.float32)), convert(net)
        return net(inputs).item(), integer.layer(integer.quantize(inputs)).numpy()[0, 0]
    return function


# M = ½ and a sum of 1: a half. And M = ⅓/16 with a sum of 24: a half as well, but M₀ is a little less than M.
_TIES = ((np.array([0.125]), np.array([0.125]), 0.0, 0.125, 0, 0.125, 2.0**-5, 0, *_m(0.125, 0.125, 2.0**-5)),
         (np.array([3.0]), np.array([2.0**-7]), 0.0, 0.125, 0, 2.0**-7, 0.046875, 0, *_m(0.125, 2.0**-7, 0.046875)))

QAT = Equation(
    id="QU-9", title="training for integers, in four steps",
    source=JACOB + "section 3; MindSpore's textbook, section 9.3",
    latex=r"\hat y = S_3 (q - Z_3),\quad q = \mathrm{clip}\left(Z_3 + \mathrm{round}\left(M \left(\mathrm{round}"
          r"\frac{b}{S_1 S_2} + \sum_j (q_{1j} - Z_1) q_{2j}\right)\right)\right),\quad M = \frac{S_1 S_2}{S_3}",
    formula="1. scales and zero points are chosen, and rest.  2. q₁ = clip(round(x/S₁ + Z₁)), q₂ = clip(round(w/S₂)),"
            "\nq = clip(Z₃ + round(M·(round(b/(S₁S₂)) + Σ (q₁ − Z₁)q₂))), M = 2⁻ⁿ·M₀/2³¹ ≈ S₁S₂/S₃, halves up (QU-10);"
            "\nall codes have 8 bits.  3. training goes on with ŷ = S₃(q − Z₃).  4. the integer layer gives the same q",
    arguments={"x": "inputs of a layer, (n,)", "w": "weights of one output, (n,)", "b": "its bias",
               "s1": "S₁, of the inputs", "z1": "Z₁", "s2": "S₂, of the weights, whose zero point is 0",
               "s3": "S₃, of the output", "z3": "Z₃", "m0": "M₀, 2³⁰ to 2³¹ − 1", "n": "shift"},
    results={"y": "ŷ, the output in training", "q": "its code once exported, an integer"},
    implementation="minicompress.quantization.convert", adapt=_four_steps,
    reference=listed(affine.trained_and_exported), inputs=_layer, cases=_TIES,
    properties={"training and export are equal": _as_exported, "the export is a code": _has_a_code,
                "inputs are cut off at their range": _cut_off_before,
                "is what the formula gives": agrees(listed(affine.trained_and_exported), 0)},
    traps=(Trap("float product", "training rounds a product of floats, the integer layer one of M: both must be by M.",
                _steps("product")),
           Trap("fitted again", "the weights' scale is fitted again at the export: it was chosen before training.",
                _steps(refit=True)),
           Trap("Z₁ forgotten", "the inputs' zero point is forgotten at the export.", _steps(z1_out=0)),
           Trap("Z₃ forgotten", "the output's zero point is forgotten at the export.", _steps(z3_out=0)),
           Trap("output not rounded", "in training the output is not put on its grid.", _steps("real")),
           Trap("not quantized", "training goes on in floats: it learns nothing of rounding.", _steps("float")),
           Trap("bias forgotten", "the bias is not added.", _steps(bias=0)),
           Trap("not clipped", "the output is not clipped to codes of 8 bits.", _steps(clip=lambda q, low, high: q))))

ENTRIES = (SENSITIVITY, SCRATCH, QAT)
