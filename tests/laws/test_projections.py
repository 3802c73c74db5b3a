"""One contract for every Projection: what it computes is what its Form says, whatever training does."""

from types import SimpleNamespace

import numpy as np
import pytest

import minicompress.pruning
import minicompress.quantization  # noqa: F401 - every chapter registers its projections
from minicompress import nn
from minicompress.binarization import weights as binary
from minicompress.engine import Tensor, no_grad
from minicompress.forms import Codebook, Sign, Sparse
from minicompress.nn import Parameter, Projection, max_norm
from minicompress.pruning import masks as pruning
from minicompress.quantization import weight_sharing as sharing
from minicompress.quantization import weights as affine
from minicompress.training.optim import SGD, Adam
from tests.mutants import mutate

SHAPES = [(6, 5), (7,), (3, 2, 4, 4)]
REAL = SimpleNamespace(**vars(pruning), WeightClustering=sharing.WeightClustering, MaxNorm=max_norm.MaxNorm,
                       AffineQuantization=affine.AffineQuantization,
                       BinaryConnect=binary.BinaryConnect, ScaledSign=binary.ScaledSign,
                       StochasticBinaryConnect=binary.StochasticBinaryConnect)

# For each class: ways to make its projections, from the module's names and the shape of the weights, outermost first.
STACKS = {
    "Mask": lambda m, shape: [m.Mask(some(shape))],
    "Mask of everything": lambda m, shape: [m.Mask()],
    "Mask of nothing": lambda m, shape: [m.Mask(np.zeros(shape))],
    "Mask twice": lambda m, shape: [m.Mask(some(shape)), m.Mask(some(shape, 1))],
    "MagnitudePruning": lambda m, shape: [m.MagnitudePruning(0.6)],
    "MagnitudePruning of all": lambda m, shape: [m.MagnitudePruning(1.0)],
    "MagnitudePruning in a Mask": lambda m, shape: [m.Mask(some(shape)), m.MagnitudePruning(0.5)],
    "MaxNorm": lambda m, shape: [m.MaxNorm(0.5)],
    "MaxNorm in a Mask": lambda m, shape: [m.Mask(some(shape)), m.MaxNorm(0.5)],
    "WeightClustering in MaxNorm": lambda m, shape: [m.MaxNorm(0.5), m.WeightClustering(4)],
    "WeightClustering": lambda m, shape: [m.WeightClustering(4)],
    "WeightClustering to one": lambda m, shape: [m.WeightClustering(1)],
    "WeightClustering to more than there are": lambda m, shape: [m.WeightClustering(300)],
    "WeightClustering, density": lambda m, shape: [m.WeightClustering(3, "density")],
    "WeightClustering, optimal": lambda m, shape: [m.WeightClustering(3, "optimal")],
    "WeightClustering, forgy": lambda m, shape: [m.WeightClustering(3, "forgy", rng=np.random.default_rng(0))],
    "WeightClustering in a Mask": lambda m, shape: [m.Mask(some(shape)), m.WeightClustering(4)],
    "WeightClustering in a Mask of nothing": lambda m, shape: [m.Mask(np.zeros(shape)), m.WeightClustering(4)],
    "AffineQuantization": lambda m, shape: [m.AffineQuantization()],
    "AffineQuantization of 1 bit": lambda m, shape: [m.AffineQuantization(1)],
    "AffineQuantization of 16 bits, per layer": lambda m, shape: [m.AffineQuantization(16, per_channel=False)],
    "AffineQuantization, asymmetric": lambda m, shape: [m.AffineQuantization(4, symmetric=False)],
    "AffineQuantization in a Mask": lambda m, shape: [m.Mask(some(shape)), m.AffineQuantization(4)],
    "AffineQuantization in a Mask of nothing": lambda m, shape: [m.Mask(np.zeros(shape)), m.AffineQuantization(4)],
    "AffineQuantization in MagnitudePruning": lambda m, shape: [
        m.MagnitudePruning(0.7), m.AffineQuantization(9, per_channel=False)],
    "BinaryConnect": lambda m, shape: [m.BinaryConnect()],
    "BinaryConnect in a Mask": lambda m, shape: [m.Mask(some(shape)), m.BinaryConnect()],
    "BinaryConnect in a Mask of nothing": lambda m, shape: [m.Mask(np.zeros(shape)), m.BinaryConnect()],
    "StochasticBinaryConnect": lambda m, shape: [m.StochasticBinaryConnect(rng=np.random.default_rng(0))],
    "StochasticBinaryConnect, real, in a Mask": lambda m, shape: [
        m.Mask(some(shape)), m.StochasticBinaryConnect("real", rng=np.random.default_rng(0))],
    "ScaledSign": lambda m, shape: [m.ScaledSign()],
    "ScaledSign, one for all": lambda m, shape: [m.ScaledSign(axis=None)],
    "ScaledSign in a Mask": lambda m, shape: [m.Mask(some(shape)), m.ScaledSign()],
    "ScaledSign in a Mask of nothing": lambda m, shape: [m.Mask(np.zeros(shape)), m.ScaledSign()],
    "ScaledSign in MagnitudePruning": lambda m, shape: [m.MagnitudePruning(0.5), m.ScaledSign(axis=None)],
    "WeightClustering in MagnitudePruning": lambda m, shape: [m.MagnitudePruning(0.7), m.WeightClustering(4)],
}


def some(shape, seed=0):
    """A mask with both kinds of elements."""
    mask = np.random.default_rng(seed).random(shape) < 0.6
    mask.flat[:2] = True, False
    return mask


def weights(shape, seed=2, order="C"):
    w = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    w.flat[-1] = -0.0
    return np.asarray(w, order=order)


def same_bits(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def projected(m, stack, shape, order="C"):
    return nn.project(Parameter(weights(shape, order=order), order=order), *STACKS[stack](m, shape))


def computed(parameter):
    """The effective value in evaluation: what a form stands for. Where no chance is in play training has the same."""
    with no_grad():
        value = parameter.effective().numpy()
    if not any(isinstance(option, np.random.Generator) for p in parameter.projections for option in vars(p).values()):
        same_bits(parameter.effective().numpy(), value)
    return value


# The laws


def holds(parameter, latent=True):
    """The law of laws, and what the kinds of projections promise of their values."""
    effective, form = computed(parameter), parameter.form()
    same_bits(form.dense(), effective)
    where = np.ones(effective.shape, bool)
    while isinstance(form, Sparse):
        where &= form.mask
        form = form.inner
    pruned = effective[~where]
    assert not pruned.any() and not np.signbit(pruned).any(), "a pruned weight is exactly +0.0"
    rest = parameter.data[~where]
    assert not latent or not (rest.any() or np.signbit(rest).any()), "also the latent one"
    if isinstance(form, Codebook):
        assert set(effective[where].tolist()) <= set(form.centroids.tolist())
        assert len(form.centroids) <= 2**form.bits
    if isinstance(form, Sign) and effective.size:
        alpha = np.broadcast_to(form.dense() * np.where(form.bits, 1, -1), effective.shape)
        np.testing.assert_array_equal(np.abs(effective[where]), alpha[where])


def form_is_what_is_computed(m, stack, shape):
    for order in "CF":
        holds(projected(m, stack, shape, order))


def applying_twice_is_applying_once(m, stack, shape):
    parameter = projected(m, stack, shape)
    with no_grad():
        twice = once = parameter.effective()
        for projection in reversed(parameter.projections):
            twice = projection(twice)
    same_bits(twice.numpy(), once.numpy())


def fitting_looks_only_where_it_is_told(m, stack, shape):
    where, w = some(shape, 5), weights(shape)
    other = np.where(where, w, 100 * weights(shape, 6) + 7)
    one, two = (STACKS[stack](m, shape)[-1].fit(array, where=where) for array in (w, other))
    same_bits(np.where(where, one(Tensor(w)).numpy(), 0), np.where(where, two(Tensor(w)).numpy(), 0))


def fitting_leaves_the_weights_alone(m, stack, shape):
    w = weights(shape)
    w.flags.writeable = False
    for projection in STACKS[stack](m, shape):
        assert projection.fit(w) is projection


def a_state_dict_goes_round(m, stack, shape):
    class Holder(nn.Module):
        def __init__(self, seed):
            super().__init__()
            self.w = Parameter(weights(shape, seed))

    one, two = Holder(2), Holder(3)
    nn.project(one.w, *STACKS[stack](m, shape))
    two.w.projections = tuple(STACKS[stack](m, shape))  # not fitted
    state = one.state_dict()
    two.load_state_dict(state)
    same_bits(computed(two.w), computed(one.w))
    assert two.w.form() == one.w.form()
    for name, array in two.state_dict().items():
        same_bits(array, state[name])


def a_form_gives_its_projections_back(m, stack, shape):
    parameter = projected(m, stack, shape)
    copy = nn.assign(Parameter.blank(shape), parameter.form())
    same_bits(computed(copy), computed(parameter))
    assert copy.form() == parameter.form()
    same_bits(copy.form().dense(), parameter.form().dense())
    holds(copy)


OPTIMIZERS = [lambda ps: SGD(ps, lr=0.05), lambda ps: SGD(ps, lr=0.05, momentum=0.9, weight_decay=0.1),
              lambda ps: SGD(ps, lr=0.05, momentum=0.9, nesterov=True), lambda ps: Adam(ps, lr=0.05, weight_decay=0.1)]


def trainable(parameter):
    return [parameter, *(state for projection in parameter.projections for _, state in projection.state()
                         if isinstance(state, Parameter))]


def is_binary(parameter):
    form = parameter.form()
    return isinstance(form.inner if isinstance(form, Sparse) else form, Sign)


def training_keeps_the_law(m, stack, shape):
    """(PR-10) Through momentum, Adam's moments and weight decay."""
    target = Tensor(weights(shape, 8))
    for make in OPTIMIZERS:
        parameter = projected(m, stack, shape)
        optimizer = make(trainable(parameter))
        before, latent = computed(parameter).copy(), parameter.data.copy()
        for _ in range(5):
            optimizer.zero_grad()
            ((parameter.effective() - target) ** 2).mean().backward()
            optimizer.step()
            holds(parameter)
        # of a sign only the latent weight need change
        after = (parameter.data, latent) if is_binary(parameter) else (computed(parameter), before)
        assert not before.any() or (after[0] != after[1]).any(), "nothing was learned"


def what_lies_under_a_mask_does_not_leak(m, stack, shape):
    """(PR-10) NaN · 0 is NaN: a mask selects, it does not multiply."""
    for poison in (np.nan, np.inf, -1.0):
        parameter = projected(m, stack, shape)
        same = projected(m, stack, shape)
        hidden = np.ones(shape, bool)
        for projection in parameter.projections:
            hidden &= True if projection.survivors() is None else projection.survivors()
        hidden = ~hidden
        parameter.data[hidden] = poison
        same_bits(computed(parameter), computed(same))
        for p in (parameter, same):
            optimizer = SGD(trainable(p), lr=0.1, momentum=0.9, weight_decay=0.1)
            with np.errstate(invalid="ignore"):
                for _ in range(2):
                    optimizer.zero_grad()
                    (p.effective() ** 2).sum().backward()
                    optimizer.step()
        holds(parameter, latent=parameter.grad is not None)  # what no optimizer touches may rest as it is
        same_bits(computed(parameter), computed(same))


def no_gradient_reaches_what_is_pruned(m, stack, shape):
    parameter = projected(m, stack, shape)
    parameter.effective().backward(np.ones(shape))
    for projection in parameter.projections:
        if parameter.grad is not None and projection.survivors() is not None:
            assert not parameter.grad[~projection.survivors()].any()


LAWS = [form_is_what_is_computed, applying_twice_is_applying_once, fitting_looks_only_where_it_is_told,
        fitting_leaves_the_weights_alone, a_state_dict_goes_round, a_form_gives_its_projections_back,
        training_keeps_the_law, what_lies_under_a_mask_does_not_leak, no_gradient_reaches_what_is_pruned]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("stack", STACKS)
def test_law(stack, shape, law):
    law(REAL, stack, shape)


def test_every_projection_is_in_the_table():
    def all_subclasses(cls):
        return {cls}.union(*(all_subclasses(sub) for sub in cls.__subclasses__()))

    projections = {cls.__name__ for cls in all_subclasses(Projection) - {Projection}
                   if cls.__module__.startswith("minicompress.") and "__mutant_" not in cls.__module__}
    assert projections == {type(projection).__name__ for stack in STACKS.values() for projection in stack(REAL, (3, 2))}


def test_every_form_has_a_projection_that_gives_it():
    from minicompress import forms
    kinds = {kind for kind in vars(forms).values() if isinstance(kind, type) and issubclass(kind, forms.Form)}
    assert kinds - {forms.Form, forms.Dense} == set(Projection._of_form)


# What single projections promise beyond the contract


@pytest.mark.parametrize("init", ["linear", "density", "optimal"])
def test_clustering_what_is_clustered_loses_nothing(init):
    w = weights((30, 20))
    once = nn.project(Parameter(w), sharing.WeightClustering(5, init)).effective().numpy()
    same_bits(nn.project(Parameter(once), sharing.WeightClustering(5, init)).effective().numpy(), once)


def test_after_fit_no_centroid_can_be_moved_to_lower_the_error():
    w = weights((30, 20))
    projection = sharing.WeightClustering(5).fit(w)
    c = projection.centroids_.data.astype(np.float64)
    error = ((c[projection.codes_] - w) ** 2).sum()
    for k in range(5):
        for move in (-1e-3, 1e-3):
            moved = c.copy()
            moved[k] += move
            assert ((moved[projection.codes_] - w) ** 2).sum() > error


def test_after_fit_no_code_step_lowers_the_error():
    w = weights((30, 20))
    projection = sharing.WeightClustering(5).fit(w)
    c, codes = projection.centroids_.data, projection.codes_.astype(int)
    error = (c[codes] - w) ** 2
    for step in (-1, 1):
        inside = (codes + step >= 0) & (codes + step < len(c))
        assert ((c[np.clip(codes + step, 0, len(c) - 1)] - w) ** 2 >= error)[inside].all()


def test_the_latent_weights_rest_while_centroids_learn():
    parameter = nn.project(Parameter(weights((6, 5))), sharing.WeightClustering(4))
    before = parameter.data.copy()
    optimizer = SGD(trainable(parameter), lr=0.1, momentum=0.9, weight_decay=0.1)
    (parameter.effective() ** 2).sum().backward()
    optimizer.step()
    same_bits(parameter.data, before)


def test_magnitude_pruning_under_a_mask_prunes_its_share_of_the_survivors():
    mask = some((20, 10))
    parameter = nn.project(Parameter(weights((20, 10))), pruning.Mask(mask), pruning.MagnitudePruning(0.5))
    survivors = int(mask.sum())
    assert np.count_nonzero(parameter.effective().numpy()) == survivors - round(0.5 * survivors)


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"the mask has shape \(3,\), expected that of the weights, \(2, 3\)"):
        nn.project(Parameter(weights((2, 3))), pruning.Mask([True, False, True]))
    with pytest.raises(ValueError, match="not fitted"):
        pruning.Mask()(Tensor([1.0]))


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_max_norm_shortens_long_rows_and_leaves_the_others(shape, order):
    rows_are_within_the_limit(REAL, shape, order)


def rows_are_within_the_limit(m, shape=(6, 5), order="F"):
    w = weights(shape, order=order) * np.float32(0.2)
    w[0] *= 10
    limit = float(np.median([np.linalg.norm(row) for row in w]))
    parameter = nn.project(Parameter(w.copy(order="K"), order=order), m.MaxNorm(limit))
    for before, after in zip(w, parameter.data, strict=True):
        if np.linalg.norm(before) <= limit * (1 - 1e-6):
            same_bits(np.asarray(after), np.asarray(before))
        else:
            assert np.linalg.norm(after) == pytest.approx(min(limit, np.linalg.norm(before)), rel=1e-6)
            np.testing.assert_allclose(after * np.linalg.norm(before), before * np.linalg.norm(after), rtol=1e-5)
    optimizer = SGD([parameter], lr=1.0)
    parameter.effective().backward(-np.ones(shape))
    np.testing.assert_array_equal(parameter.grad, -1, "the limit changes no gradient")
    optimizer.step()
    assert max(np.linalg.norm(row) for row in parameter.data) <= limit * (1 + 1e-6)


@pytest.mark.parametrize("limit", [0, -1.0, np.inf, np.nan, True])
def test_a_limit_that_limits_nothing_is_refused(limit):
    with pytest.raises((TypeError, ValueError), match=f"limit is {limit}, expected"):
        nn.MaxNorm(limit)


# The laws have teeth

MUTANTS = [
    (max_norm, "return w if isinstance(w, Form) else Dense(w)", "return Dense(w)"),
    (max_norm, "return latent", "return latent * 0.5"),
    (max_norm, "w.reshape(len(w), -1)", "w.reshape(len(w), -1).T.reshape(len(w), -1)"),
    (max_norm, "np.maximum(norms, self.limit)", "np.maximum(norms, 1e-9)"),
    (max_norm, "if (norms > self.limit).any()", "if (norms > self.limit).all()"),
    (max_norm, "np.sqrt(np.einsum", "np.negative(-np.einsum"),
    (pruning, "return select(self.mask_, latent, 0.0)", "return latent * Tensor(self.mask_.astype(np.float32))"),
    (pruning, "return select(self.mask_, latent, 0.0)", "return select(self.mask_, latent, -0.0)"),
    (pruning, "return select(self.mask_, latent, 0.0)", "return latent"),
    (pruning, "w[~self.mask_] = 0.0  #", "pass  #"),
    (pruning, "w[~self.mask_] = 0.0  #", "w *= self.mask_  #"),
    (pruning, "w[~self.mask_] = 0.0  #", "w[self.mask_] *= 0.5  #"),
    (pruning, "return cls(form.mask), form.inner", "return cls(~form.mask), form.inner"),
    (pruning, "return cls(form.mask), form.inner", "return cls(form.mask), None"),
    (pruning, "mask[alive] = magnitude_mask(w[alive], self.sparsity)", "mask[:] = magnitude_mask(w, self.sparsity)"),
    (pruning, "Sparse(self.mask_, w if isinstance(w, Form) else Dense(w))", "Sparse(self.mask_, Dense(w))"),
    (affine, "where=True if where is None else where, initial", "initial"),
    (affine, "latent.data, scale, zero_point, low, high", "latent.data, scale, zero_point, low, 1"),
    (affine, "self.scale_, self.zero_point_, self.bits", "self.scale_, self.zero_point_, 3"),
    (affine, "form.scale, form.zero_point\n", "form.scale * 2, form.zero_point\n"),
    (affine, "form.scale, form.zero_point\n", "form.scale, 0 * form.zero_point\n"),
    (binary, "return surrogate.sign(latent)\n", "return surrogate.sign(latent) * 0.5\n"),
    (binary, "return Sign(_array(w) >= 0, 1.0)", "return Sign(_array(w) > 0, 1.0)"),
    (binary, "return Sign(w >= 0, alpha", "return Sign(w > 0, alpha"),
    (binary, "BinaryConnect() if form.axis is None and form.alpha == 1 else ScaledSign(form.axis)", "BinaryConnect()"),
    (binary, "else ScaledSign(form.axis)", "else ScaledSign()"),
    (binary, "np.where(counts, np.abs(w), 0).sum(axis=axes, dtype", "np.abs(w).sum(axis=axes, dtype"),
    (binary, "np.maximum(np.broadcast_to(counts, w.shape)", "np.maximum(np.ones(w.shape)"),
    (binary, "return np.array(True) if self.where_ is None else self.where_", "return np.array(True)"),
    (binary, "np.array(True) if where is None else np.array(where)", "np.array(True)"),
    (binary, 'latent if self.evaluation == "real" else', 'latent if self.evaluation == "sign" else'),
    (binary, "if not recording():", "if recording():"),
    (sharing, "chosen = w.ravel() if where is None else w[where]", "chosen = w.ravel(); where = None"),
    (sharing, "return take(self.centroids_, self.codes_)", "return take(self.centroids_, self.codes_) * 1.0001"),
    (sharing, "return take(self.centroids_, self.codes_)", "return take(self.centroids_, self.codes_[::-1])"),
    (sharing, "self.centroids_ = Parameter(centroids)", "self.centroids_ = Parameter(centroids[::-1].copy())"),
    (sharing, 'trained = ("centroids_",)', 'trained = ("codes_", "centroids_")'),
    (sharing, "Parameter(form.centroids.copy())", "Parameter(np.sort(-form.centroids))"),
    (sharing, "(self.centroids_.size - 1).bit_length()", "(self.centroids_.size - 1).bit_length() - 1"),
]


@pytest.mark.parametrize(("module", "old", "new"), MUTANTS, ids=[f"{old} -> {new}" for _, old, new in MUTANTS])
def test_a_planted_bug_is_caught(module, old, new, monkeypatch):
    monkeypatch.setattr(Projection, "_of_form", dict(Projection._of_form))  # mutants register themselves, too
    mutant = vars(mutate(module, old, new))
    ops = SimpleNamespace(**{**vars(REAL), **{name: mutant[name] for name in vars(REAL) if name in mutant}})
    if module is pruning:
        mutant["Tensor"] = Tensor
    with pytest.raises((AssertionError, ValueError, TypeError, AttributeError, KeyError, NameError)):
        for stack in STACKS:
            for shape in SHAPES:
                for law in LAWS:
                    law(ops, stack, shape)
        after_fit_centroids_are_the_means(ops)
        rows_are_within_the_limit(ops)


def after_fit_centroids_are_the_means(m):
    w = weights((30, 20))
    projection = m.WeightClustering(5).fit(w)
    for k, centroid in enumerate(projection.centroids_.data):
        np.testing.assert_allclose(centroid, w[projection.codes_ == k].mean(dtype=np.float64), rtol=1e-6)


def test_after_fit_centroids_are_the_means():
    after_fit_centroids_are_the_means(REAL)
