"""How much each layer suffers from pruning (PR-13)."""

from dataclasses import dataclass

import numpy as np

from minicompress.checker.draws import weights
from minicompress.checker.page import page, resolve
from minicompress.checker.properties import hold

from .magnitude import HAN_2015, magnitude_mask, ranked

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


def _network(rng, size, layers=None):
    """A network of 1 to 3 layers that gets two examples wrong, at the most, and sparsities in any order.

    The sparsities are sixty-fourths, whose products with a count are exact in single precision, too.
    """
    layers = [weights(rng, size + 1) for _ in range(1 + int(rng.integers(3)))] if layers is None else layers
    x = [rng.integers(-4, 5, (EXAMPLES, len(w))).astype(np.float64) for w in layers]
    labels = sum(inputs @ w for inputs, w in zip(x, layers, strict=True)) > 0
    labels[:2] = rng.random(2) < 0.5
    return Wrong(x, labels), layers, rng.integers(0, 65, 1 + int(rng.integers(3))) / 64


def _large_network(*sparsities):
    """Layers in which 0.29·100, 0.57·100 and 0.58·50 are not the whole numbers that they should be."""
    rng = np.random.default_rng(0)
    layers = [(rng.permutation(n) + 1.0) / 4 * rng.choice([-1, 1], n) for n in (100, 50)]
    return *_network(rng, 1, layers)[:2], np.array(sparsities)


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
                layers = [layer.effective().numpy()[0] for _, layer in self.named_latents()]
                wrong = x.numpy() < EXAMPLES * error(layers)
                return tensor(np.hstack([~wrong, wrong]).astype(np.float32))

        numbered = np.arange(EXAMPLES, dtype=np.float32)[:, None], np.zeros(EXAMPLES, int)
        return np.array(list(sensitivity(Model(), numbered, sparsities).values()))
    return function


# ---------------------------------------------------------------------------------------------------------------------
# PR-13

@page("PR-13", cite=HAN_2015("section 5, figure 6"),
      latex=r"E_{ls} = \mathrm{error}(w_1, \dots, m_{ls} \odot w_l, \dots, w_L),\quad m_{ls} = \text{mask of } w_l "
            r"\text{ at sparsity } s_s \text{, PR-2}",
      implementation="minicompress.pruning.sensitivity.sensitivity", adapt=_of_a_model, inputs=_network,
      cases=(_large_network(0.29, 0.57), _large_network(1.0, 0.58, 0.0)))
def sensitivity(error, weights, sparsities):
    """sensitivity of each layer to pruning

    E_ls = error(w_1, …, m_ls ⊙ w_l, …, w_L),   m_ls = mask of w_l at sparsity s_s, PR-2

    error : a function: the error of a network, for a list of weights like the next
    weights : w, of each layer, a list of arrays (n_l,)
    sparsities : s, fractions from 0 to 1, in any order, (levels,)
    errors : E, of the network with one layer pruned, all others as they are, (layers, levels)

    m_ls : m, 0 for the weights of layer l that are pruned by magnitude, 1 for those that stay, (n_l,)

    >>> sensitivity(lambda layers: sum(map(sum, layers)), [[1, 2], [3]], [0.0, 0.5, 1.0])
    [[6, 5, 3], [6, 6, 3]]
    """
    errors = []
    for l, w in enumerate(weights):
        errors.append([])
        for s in sparsities:
            pruned = [w_i if m_i else 0 for w_i, m_i in zip(w, magnitude_mask(w, s), strict=True)]
            errors[l].append(error([*weights[:l], pruned, *weights[l + 1:]]))
    return errors


@sensitivity.must("at sparsity 0 it is the network's own error")
def _baseline(f, error, weights, sparsities):
    found, own = f(error, weights, np.append(sparsities, 0.0))[:, -1], error(weights)
    hold(found == own, f"at sparsity 0, asked for last, the errors are {found.tolist()}, but the network's is {own}")


@sensitivity.must("at sparsity 1 the layer is gone")
def _gone(f, error, weights, sparsities):
    for i, found in enumerate(f(error, weights, np.array([1.0]))[:, 0]):
        without = error([w * (j != i) for j, w in enumerate(weights)])
        hold(found == without, f"at sparsity 1 nothing is left of layer {i}, so its error is {without}, not {found}")


@sensitivity.must("all other layers stay, bit for bit")
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


def _sorted(error, weights, sparsities):
    return _one_by_one()(error, weights, np.sort(sparsities))


sensitivity.must_agree(4)
sensitivity.trap("from layer to layer", "a layer stays pruned while the next is measured: put it back first.",
                 _one_by_one(between_layers=False))
sensitivity.trap("from level to level", "each sparsity prunes what the one before has left: begin with the dense "
                 "layer.", _one_by_one(between_levels=False))
sensitivity.trap("all at once", "all layers are pruned at once: asked for is one alone.", _all_at_once)
sensitivity.trap("percent", "this takes a sparsity for a percentage: it is a fraction.",
                 _one_by_one(lambda w, s: _pruned(w, s / 100)), seen=True)
sensitivity.trap("density", "this keeps a share s of the weights: a sparsity says how many go.",
                 _one_by_one(lambda w, s: _pruned(w, 1 - s)))
sensitivity.trap("largest first", "this prunes the largest magnitudes.",
                 _one_by_one(lambda w, s: _pruned(w, s, key=lambda v: -np.abs(v))))
sensitivity.trap("missing abs", "this prunes the most negative first: abs is missing.",
                 _one_by_one(lambda w, s: _pruned(w, s, key=lambda v: v)))
sensitivity.trap("floor", "this rounds s·n down: int(0.29·100) is 28, because 0.29 is no binary fraction.",
                 _one_by_one(lambda w, s: _pruned(w, s, count=lambda s, n: int(s * n))))
sensitivity.trap("in order of sparsity", "the levels are sorted: they are in the order in which they were asked for.",
                 _sorted)
sensitivity.trap("rise", "this is by how much the error rises: asked for is the error.", _rise)
