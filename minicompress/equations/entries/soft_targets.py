"""Entries of the soft-target losses (KD-2, KD-3)."""

import numpy as np

from .. import distillation as literal
from ..ledger import Equation, Trap
from ..suite import agrees, close, hold
from .distillation import HINTON, SOFTENED_REFERENCE, TEMPERATURES, is_finite, log_softmax, softmax
from .draw import eighths, one_of, precisely, tensor

STUDENT_AND_TEACHER = {"z": "the student's logits, (N, classes)", "v": "the teacher's logits, (N, classes)",
                       "y": "labels, integers, (N,)", "T": "temperature τ, above 0"}


def _one_hot(z, y):
    return np.eye(z.shape[1])[y]


_EXACT_LOSS = precisely(lambda z, v, y, T, alpha: literal.soft_target_loss(z, v, y, T, alpha, 1 - alpha, T**2))
_EXACT_GRADIENT = precisely(lambda z, v, y, T, alpha: [
    [g / len(z) for g in literal.soft_target_gradient(*rows, T, alpha, 1 - alpha, T**2)]
    for rows in zip(z, v, y, strict=True)])
_EXACT_LAMBDA = precisely(literal.lambda_loss)


def _loss_reference(z, v, y, T, alpha):
    return _EXACT_LOSS(z, v, _one_hot(z, y), T, alpha)


def _gradient_reference(z, v, y, T, alpha):
    return _EXACT_GRADIENT(z, v, _one_hot(z, y), T, alpha)


def _batch(rng, size):
    shape = int(rng.integers(1, 5)), 1 + int(rng.integers(1, min(size, 5) + 1))
    scale = one_of(rng, 1, 1, 1, 1, 1000)
    return (eighths(rng, shape) * scale, eighths(rng, shape) * scale, rng.integers(0, shape[1], shape[0]),
            one_of(rng, *TEMPERATURES), one_of(rng, 0.0, 0.25, 0.5, 1.0))


def _loss_size(z, v, y, T, *_):
    return (1 + T * T) * (1 + (np.ptp(z) + np.ptp(v)) / min(T, 1))


def _hard(z, y):
    return -log_softmax(z)[np.arange(len(y)), y]


def _alpha_one_is_cross_entropy(f, z, v, y, T, alpha):
    close(f, f(z, v, y, T, 1.0), _hard(z, y).mean(), "with α = 1 it is the cross-entropy with the labels", 256,
          1 + np.ptp(z))


def _mean_of_examples(f, z, v, y, T, alpha):
    twice = f(*(np.repeat(rows, 2, axis=0) for rows in (z, v, y)), T, alpha)
    close(f, twice, f(z, v, y, T, alpha), "the same examples twice have the same mean", 256, _loss_size(z, v, y, T))


def _teacher_is_the_target(f, z, v, y, T, alpha):
    """H(p, q) is least for q = p, and there it is the entropy of p."""
    close(f, f(v, v, y, T, 0.0) * len(z), sum(
        T * T * literal.entropy(SOFTENED_REFERENCE(row, T)) for row in v), "with α = 0, a student equal to the teacher "
        "is left with τ² times the entropy of the teacher's probabilities", 512, len(z) * _loss_size(v, v, y, T))
    hold(f(z, v, y, T, 0.0) >= f(v, v, y, T, 0.0) - 512 * f.eps * _loss_size(z, v, y, T),
         "with α = 0 no student has a smaller loss than one equal to the teacher")


def _soft(kernel, scale=lambda T: T * T, reduce=np.mean, hard_temperature=lambda T: 1.0, swapped=False):
    """The loss with a part exchanged: what the traps vary. ``kernel(p, log_p, log_q)`` gives a number a row."""
    def function(z, v, y, T, alpha):
        log_p, log_q = (log_softmax(logits / T) for logits in ((z, v) if swapped else (v, z)))
        soft = kernel(np.exp(log_p), log_p, log_q)
        return reduce(alpha * _hard(z / hard_temperature(T), y) + (1 - alpha) * scale(T) * soft)
    return function


def _cross_entropy(p, log_p, log_q):
    return -(p * log_q).sum(axis=-1)


def _divergence(p, log_p, log_q):
    return (p * (log_p - log_q)).sum(axis=-1)


def _weights_swapped(z, v, y, T, alpha):
    return _soft(_cross_entropy)(z, v, y, T, 1 - alpha)


def _logarithm_of_softmax(z, v, y, T, alpha):
    p, q, hard = softmax(v / T), softmax(z / T), softmax(z)[np.arange(len(y)), y]
    return np.mean(-alpha * np.log(hard) - (1 - alpha) * T * T * np.sum(p * np.log(q), axis=1))


LOSS_TRAPS = (
    Trap("c = 1", "the factor τ² is missing: the soft part grows weak as τ grows.",
         _soft(_cross_entropy, scale=lambda T: 1.0)),
    Trap("c = τ", "the soft part is multiplied by τ: it takes τ².", _soft(_cross_entropy, scale=lambda T: T)),
    Trap("student as target", "this is H(student, teacher): the teacher's probabilities must weigh the student's logs.",
         _soft(_cross_entropy, swapped=True)),
    Trap("KL(student‖teacher)", "this is KL(student‖teacher), the other way round.", _soft(_divergence, swapped=True)),
    Trap("KL(teacher‖student)", "this is KL(teacher‖student): it has the same gradient, but H is greater by the "
                                "entropy of the teacher's probabilities.", _soft(_divergence)),
    Trap("sum", "this sums over the examples: asked for is their mean.", _soft(_cross_entropy, reduce=np.sum)),
    Trap("two examples", "this looks at the first two examples alone.", lambda z, v, y, T, alpha: _soft(_cross_entropy)(
        z[:2], v[:2], y[:2], T, alpha)),
    Trap("mean over classes", "this is a mean over classes too: it is the mean over the examples of sums over classes.",
         lambda z, v, y, T, alpha: np.mean(alpha * _hard(z, y)) + (1 - alpha) * T * T * _cross_entropy(
             softmax(v / T), None, log_softmax(z / T)).mean() / z.shape[1]),
    Trap("T on the labels too", "the part with the labels is taken at T: it is at temperature 1.",
         _soft(_cross_entropy, hard_temperature=lambda T: T)),
    Trap("weights exchanged", "α and 1 − α have changed places: α weighs the labels.", _weights_swapped),
    Trap("logarithm of a softmax", "this takes the logarithm of a probability that underflows to 0: use log-softmax.",
         _logarithm_of_softmax))


def _differentiated(loss):
    def function(z, v, y, T, alpha):
        student = tensor(z, requires_grad=True)
        loss(student, v, y, temperature=T, alpha=alpha).backward()
        return student.grad
    return function


LOSS = Equation(
    id="KD-2", title="soft-target loss", source=HINTON + "section 2",
    latex=r"L = \alpha H(y, \sigma(z; 1)) + (1 - \alpha)\,\tau^2 H(\sigma(v; \tau), \sigma(z; \tau))",
    formula="L = α·H(y, σ(z; 1)) + (1 − α)·τ²·H(σ(v; τ), σ(z; τ)),   H(p, q) = −Σ p log q,"
            "\nthe mean over the N examples",
    arguments=STUDENT_AND_TEACHER | {"alpha": "α, weight of the labels, 0 to 1"}, results={"L": "a number"},
    implementation="minicompress.distillation.soft_target_loss", reference=_loss_reference,
    adapt=lambda loss: lambda z, v, y, T, alpha: loss(tensor(z), v, y, temperature=T, alpha=alpha).item(),
    inputs=_batch,
    properties={"is finite for large logits": is_finite, "α = 1 is cross-entropy": _alpha_one_is_cross_entropy,
                "the teacher is the target": _teacher_is_the_target, "is a mean over examples": _mean_of_examples,
                "is what the formula gives": agrees(_loss_reference, 256, _loss_size)}, traps=LOSS_TRAPS)


def _rows_sum_to_zero(f, z, v, y, T, alpha):
    g = f(z, v, y, T, alpha)
    close(f, g.sum(axis=1), np.zeros(len(z)), "each example's gradients sum to 0, as a shift of z changes nothing", 256,
          1 + T)


def _zero_at_the_teacher(f, z, v, y, T, alpha):
    close(f, f(v, v, y, T, 0.0), np.zeros(v.shape), "with α = 0, a student equal to the teacher has gradient 0", 256,
          1 + T)


def _limit(f, z, v, y, T, alpha):
    """With c = τ² the soft gradient tends to ((z − z̄) − (v − v̄))/classes; what is left is of order 1/τ."""
    spread = max(np.ptp(z), np.ptp(v), 1.0)
    T = 1e3 * spread
    limit = (z - z.mean(axis=1, keepdims=True) - v + v.mean(axis=1, keepdims=True)) / z.size
    hold(np.abs(f(z, v, y, T, 0.0) - limit) <= 2 * spread**2 / T + 256 * f.eps * T,
         f"for τ = {T:g} the soft gradient is not near ((z − z̄) − (v − v̄))/(N·classes)")


def _gradient(c=lambda T: T, hard=lambda z, T: softmax(z), sign=1, share=len, detach=False):
    def function(z, v, y, T, alpha):
        labels = alpha * (hard(z, T) - _one_hot(z, y))
        soft = 0 if detach else (1 - alpha) * c(T) * (softmax(z / T) - softmax(v / T))
        return sign * (labels + soft) / share(z)
    return function


GRADIENT = Equation(
    id="KD-2:gradient", title="gradient of the soft-target loss", source=HINTON + "section 2",
    latex=r"\frac{\partial L}{\partial z} = \frac1N \left[\alpha (\sigma(z;1) - y) + (1-\alpha)\tau"
          r"(\sigma(z;\tau) - \sigma(v;\tau))\right]",
    formula="∂L/∂z = [α·(σ(z; 1) − y) + (1 − α)·τ·(σ(z; τ) − σ(v; τ))] / N",
    arguments=STUDENT_AND_TEACHER | {"alpha": "α, weight of the labels, 0 to 1"}, results={"g": "∂L/∂z, (N, classes)"},
    implementation="minicompress.distillation.soft_target_loss", reference=_gradient_reference, adapt=_differentiated,
    inputs=_batch,
    properties={"is finite for large logits": is_finite, "sums to 0 over the classes": _rows_sum_to_zero,
                "is 0 where the student equals the teacher": _zero_at_the_teacher,
                "tends to a difference of logits": _limit,
                "is what the formula gives": agrees(_gradient_reference, 1024, lambda z, v, y, T, a: 1 + T)},
    traps=(Trap("1/τ", "this is the gradient for c = 1: with τ² one τ remains.", _gradient(c=lambda T: 1 / T)),
           Trap("τ²", "this forgets that the derivative of z/τ is 1/τ: τ²/τ is τ.", _gradient(c=lambda T: T * T)),
           Trap("sign", "the sign is turned: this is the direction of descent.", _gradient(sign=-1)),
           Trap("sum", "this is the gradient of the sum over examples, not of their mean.",
                _gradient(share=lambda z: 1)),
           Trap("no soft part", "the soft part has no gradient: its value was taken, not its derivative.",
                _gradient(detach=True)),
           Trap("labels not taken off", "y is not taken off: the labels' part is α(σ(z; 1) − y).",
                lambda z, v, y, T, alpha: _gradient()(z, v, y, T, alpha) + alpha * _one_hot(z, y) / len(z)),
           Trap("overflow", "exp overflows: subtract the largest logit first.", lambda z, v, y, T, alpha: (
               alpha * (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) - _one_hot(z, y)) + (1 - alpha) * T * (
                   softmax(z / T) - softmax(v / T))) / len(z)),
           Trap("the student alone", "the teacher is not taken off.", lambda z, v, y, T, alpha: (
               alpha * (softmax(z) - _one_hot(z, y)) + (1 - alpha) * T * softmax(z / T)) / len(z))))


def _lambda_reference(z, v, y, T, weight):
    return _EXACT_LAMBDA(z, v, _one_hot(z, y), T, weight)


def _without_weight(f, z, v, y, T, weight):
    close(f, f(z, v, y, T, 0.0), _hard(z, y).mean(), "with λ = 0 it is the cross-entropy with the labels", 256,
          1 + np.ptp(z))


def _linear_in_the_weight(f, z, v, y, T, weight):
    values = [f(z, v, y, T, x) for x in (0.0, 1.0, 2.0)]
    close(f, values[2] - values[1], values[1] - values[0], "the loss is not a straight line in λ", 512,
          _loss_size(z, v, y, T))


def _as_lambda(trap_soft):
    """A trap of KD-2's kind, from its soft part alone."""
    return lambda z, v, y, T, weight: np.mean(_hard(z, y)) + weight * trap_soft(z, v, y, T, 0.0)


LAMBDA = Equation(
    id="KD-3", title="soft-target loss in the λ form", source="MindSpore's textbook, eq. 9.3.3",
    latex=r"L = H(y, \sigma(z; 1)) + \lambda H(\sigma(v; \tau), \sigma(z; \tau))",
    formula="L = H(y, σ(z; 1)) + λ·H(σ(v; τ), σ(z; τ)), the mean over the N examples; the teacher is the target",
    arguments=STUDENT_AND_TEACHER | {"weight": "λ, at least 0"}, results={"L": "a number"},
    implementation="minicompress.distillation.lambda_loss", reference=_lambda_reference,
    adapt=lambda loss: lambda z, v, y, T, weight: loss(tensor(z), v, y, temperature=T, weight=weight).item(),
    inputs=_batch,
    properties={"is finite for large logits": is_finite, "λ = 0 is cross-entropy": _without_weight,
                "is linear in λ": _linear_in_the_weight,
                "is what the formula gives": agrees(_lambda_reference, 256, _loss_size)},
    traps=(Trap("student as target", "this is H(student, teacher): though the text writes the student first, the "
                                     "teacher's probabilities are the target.",
                _as_lambda(_soft(_cross_entropy, scale=lambda T: 1.0, swapped=True))),
           Trap("c = τ²", "the λ form has no factor τ².", _as_lambda(_soft(_cross_entropy))),
           Trap("1 − λ", "the labels' part has weight 1, whatever λ is.", lambda z, v, y, T, weight: _soft(
               _cross_entropy, scale=lambda T: 1.0)(z, v, y, T, 1 - weight)),
           Trap("λ squared", "λ is used twice.", lambda z, v, y, T, weight: np.mean(_hard(z, y)) + weight**2 * _soft(
               _cross_entropy, scale=lambda T: 1.0)(z, v, y, T, 0.0)),
           Trap("T on the labels too", "the part with the labels is taken at T: it is at temperature 1.",
                lambda z, v, y, T, weight: np.mean(_hard(z / T, y)) + weight * _soft(
                    _cross_entropy, scale=lambda T: 1.0)(z, v, y, T, 0.0)),
           Trap("logarithm of a softmax", "this takes the logarithm of a probability that underflows to 0: use "
                                          "log-softmax.", lambda z, v, y, T, weight: np.mean(
               _hard(z, y) - weight * np.sum(softmax(v / T) * np.log(softmax(z / T)), axis=1)))))

ENTRIES = (LOSS, GRADIENT, LAMBDA)
