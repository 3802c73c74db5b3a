"""Soft targets: the loss (KD-2), its gradient, and its form with λ (KD-3)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, tensor
from minicompress.checker.properties import close, hold

from ..quantization.affine import MAI_2022
from .softened import HINTON_2015, TEMPERATURES, entropy, is_finite, log, log_softmax, softened, softmax


def cross_entropy(p, q):
    """H(p, q) = −Σ_i p_i log q_i in nats.

    >>> round(cross_entropy([1.0, 0.0], [0.5, 0.5]), 6)
    0.693147
    """
    total = 0
    for p_i, q_i in zip(p, q, strict=True):
        total -= p_i * log(q_i)
    return total


def divergence(p, q):
    """KL(p‖q) = Σ_i p_i log(p_i/q_i) in nats, with 0·log 0 = 0.

    >>> divergence([0.5, 0.5], [0.5, 0.5]), divergence([1.0, 0.0], [1.0, 0.0])
    (0.0, 0.0)
    """
    total = 0.0
    for p_i, q_i in zip(p, q, strict=True):
        if p_i > 0:
            total += p_i * log(p_i / q_i)
    return total


def one_hot(label, classes):
    """The label as a distribution.

    >>> one_hot(1, 3)
    [0, 1, 0]
    """
    return [1 if i == label else 0 for i in range(classes)]


def loss_of_parts(z, v, y, T, alpha, beta, c):
    """L = 1/N·Σ_n [α·H(y_n, σ(z_n; 1)) + β·c·H(σ(v_n; T), σ(z_n; T))]; y are distributions.

    >>> round(loss_of_parts([[0.0, 0.0]], [[5.0, 1.0]], [[1.0, 0.0]], 4.0, 0.5, 0.5, 1.0), 6)  # log 2
    0.693147
    """
    total = 0
    for z_n, v_n, y_n in zip(z, v, y, strict=True):
        total += alpha * cross_entropy(y_n, softened(z_n, 1))
        total += beta * c * cross_entropy(softened(v_n, T), softened(z_n, T))
    return total / len(z)


def gradient_of_parts(z, v, y, T, alpha, beta, c):
    """∂L/∂z of `loss_of_parts` of one example: α·(σ(z; 1) − y) + β·c/T·(σ(z; T) − σ(v; T)).

    >>> gradient_of_parts([0.0, 0.0], [0.0, 0.0], [1.0, 0.0], 4.0, 1.0, 1.0, 1.0)
    [-0.5, 0.5]
    """
    hard, soft, wanted = softened(z, 1), softened(z, T), softened(v, T)
    return [alpha * (hard[i] - y[i]) + beta * c / T * (soft[i] - wanted[i]) for i in range(len(z))]


def _one_hot(z, y):
    return np.eye(z.shape[1])[y]


def _logits_and_labels(rng, size):
    """(z, v, y, T) of some examples and classes, one example and one class among them."""
    shape = int(rng.integers(1, 5)), 1 + one_of(rng, *[int(rng.integers(1, min(size, 5) + 1))] * 5, 0)
    scale = one_of(rng, 1, 1, 1, 1, 1000)
    return (eighths(rng, shape) * scale, eighths(rng, shape) * scale, rng.integers(0, shape[1], shape[0]),
            one_of(rng, *TEMPERATURES))


def _batch(rng, size):
    return *_logits_and_labels(rng, size), one_of(rng, 0.0, 0.25, 0.5, 1.0)


def _loss_size(z, v, y, T, *_):
    return (1 + T * T) * (1 + (np.ptp(z) + np.ptp(v)) / min(T, 1))


def _hard(z, y):
    return -log_softmax(z)[np.arange(len(y)), y]


def _over_examples(z):
    """The logarithm of a softmax over the wrong axis."""
    return log_softmax(z.T).T


def _soft(kernel, scale=lambda T: T * T, reduce=np.mean, hard_temperature=lambda T: 1.0, swapped=False,
          log_softmax=log_softmax):
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


# ---------------------------------------------------------------------------------------------------------------------
# KD-2

def _by_names(loss):
    return lambda z, v, y, T, alpha: loss(tensor(z), v, y, temperature=T, alpha=alpha).item()


ONE_OF_EACH = np.zeros((1, 1)), np.ones((1, 1)), np.array([0]), 2.0, 0.5  # one example, one class


@page("KD-2", cite=HINTON_2015("section 2"),
      latex=r"L = \frac1N \sum_n \left[\alpha H(y_n, \sigma(z_n; 1)) + (1 - \alpha)\, c\, H(\sigma(v_n; T), "
            r"\sigma(z_n; T))\right],\quad c = T^2,\quad H(p, q) = -\sum_i p_i \log q_i",
      implementation="minicompress.distillation.soft_target_loss", adapt=_by_names, digits=True, inputs=_batch,
      cases=(ONE_OF_EACH,))
def soft_target_loss(z, v, y, T, alpha):
    """soft-target loss

    L = 1/N·Σ_n [α·H(y_n, σ(z_n; 1)) + (1 − α)·c·H(σ(v_n; T), σ(z_n; T))],   c = T²,   H(p, q) = −Σ_i p_i log q_i

    z : the student's logits, (N, classes)
    v : the teacher's logits, (N, classes)
    y : labels, integers, (N,); in the formula y_n is a distribution, 1 for the label and 0 for all others
    T : temperature of the teacher's part, a number above 0
    alpha : α, weight of the labels, a number from 0 to 1
    L : the loss, a number in nats, the mean over the examples

    N : number of examples
    σ : softened softmax (KD-1) of each example, probabilities of the classes
    H : cross-entropy of two distributions, in nats
    p, q : distributions over the classes
    c : what keeps the gradient of the teacher's part at its size as T grows, a number

    >>> round(soft_target_loss([[0.0, 0.0]], [[5.0, 1.0]], [0], 1.0, 0.5), 6)  # log 2
    0.693147
    """
    return loss_of_parts(z, v, [one_hot(y_n, len(z[0])) for y_n in y], T, alpha, 1 - alpha, T**2)


soft_target_loss.must("is finite for large logits", is_finite)


@soft_target_loss.must("α = 1 is cross-entropy")
def _alpha_one_is_cross_entropy(f, z, v, y, T, alpha):
    close(f, f(z, v, y, T, 1.0), _hard(z, y).mean(), "with α = 1 it is the cross-entropy with the labels", 256,
          1 + np.ptp(z))


@soft_target_loss.must("the teacher is the target")
def _teacher_is_the_target(f, z, v, y, T, alpha):
    """H(p, q) is least for q = p, and there it is the entropy of p."""
    close(f, f(v, v, y, T, 0.0) * len(z), sum(
        T * T * entropy(p) for p in softened.reference(v, T)), "with α = 0, a student equal to the teacher is left "
        "with T² times the entropy of the teacher's probabilities", 512, len(z) * _loss_size(v, v, y, T))
    hold(f(z, v, y, T, 0.0) >= f(v, v, y, T, 0.0) - 512 * f.eps * _loss_size(z, v, y, T),
         "with α = 0 no student has a smaller loss than one equal to the teacher")


@soft_target_loss.must("is a mean over examples")
def _mean_of_examples(f, z, v, y, T, alpha):
    twice = f(*(np.repeat(rows, 2, axis=0) for rows in (z, v, y)), T, alpha)
    close(f, twice, f(z, v, y, T, alpha), "the same examples twice have the same mean", 256, _loss_size(z, v, y, T))


def _first(examples):
    return lambda z, v, y, T, alpha: _soft(_cross_entropy)(z[:examples], v[:examples], y[:examples], T, alpha)


soft_target_loss.must_agree(256, _loss_size)
soft_target_loss.trap("c = 1", "the factor c = T² is missing: the soft part grows weak as T grows.",
                      _soft(_cross_entropy, scale=lambda T: 1.0), seen=True)
soft_target_loss.trap("c = T", "the soft part is multiplied by T: it takes c = T².",
                      _soft(_cross_entropy, scale=lambda T: T))
soft_target_loss.trap("student as target", "this is H(student, teacher): the teacher's probabilities must weigh the "
                      "student's logs.", _soft(_cross_entropy, swapped=True))
soft_target_loss.trap("KL(student‖teacher)", "this is KL(student‖teacher), the other way round.",
                      _soft(_divergence, swapped=True), seen=True)
soft_target_loss.trap("KL(teacher‖student)", "this is KL(teacher‖student): it has the same gradient, but H is greater "
                      "by the entropy of the teacher's probabilities.", _soft(_divergence))
soft_target_loss.trap("sum", "this sums over the examples: asked for is their mean.",
                      _soft(_cross_entropy, reduce=np.sum), seen=True)
soft_target_loss.trap("first example", "this looks at the first example alone.", _first(1))
soft_target_loss.trap("two examples", "this looks at the first two examples alone.", _first(2))
soft_target_loss.trap("over examples", "this softens over the examples: the classes of each one sum to 1.",
                      _soft(_cross_entropy, log_softmax=_over_examples))
soft_target_loss.trap("mean over classes", "this is a mean over classes too: it is the mean over the examples of sums "
                      "over classes.", _soft(lambda p, log_p, log_q: -(p * log_q).mean(axis=-1)), seen=True)
soft_target_loss.trap("T on the labels too", "the part with the labels is taken at T: it is at temperature 1.",
                      _soft(_cross_entropy, hard_temperature=lambda T: T))
soft_target_loss.trap("weights exchanged", "α and 1 − α have changed places: α weighs the labels.",
                      lambda z, v, y, T, alpha: _soft(_cross_entropy)(z, v, y, T, 1 - alpha))
soft_target_loss.trap("logarithm of a softmax", "this takes the logarithm of a probability that underflows to 0: use "
                      "log-softmax.", lambda z, v, y, T, alpha: -np.mean(
                          alpha * np.log(softmax(z)[np.arange(len(y)), y]) + (1 - alpha) * T * T * np.sum(
                              softmax(v / T) * np.log(softmax(z / T)), axis=1)), seen=True)

# ---------------------------------------------------------------------------------------------------------------------
# KD-2:gradient


def _differentiated(loss):
    def function(z, v, y, T, alpha):
        student = tensor(z, requires_grad=True)
        loss(student, v, y, temperature=T, alpha=alpha).backward()
        return student.grad
    return function


@page("KD-2:gradient", cite=HINTON_2015("section 2"),
      latex=r"g_n = \frac{\partial L}{\partial z_n} = \frac1N \left[\alpha (\sigma(z_n; 1) - y_n) + (1 - \alpha) "
            r"\frac{c}{T} (\sigma(z_n; T) - \sigma(v_n; T))\right],\quad c = T^2",
      implementation="minicompress.distillation.soft_target_loss", adapt=_differentiated, digits=True, inputs=_batch,
      cases=(ONE_OF_EACH,))
def soft_target_gradient(z, v, y, T, alpha):
    """gradient of the soft-target loss

    g_n = ∂L/∂z_n = 1/N·[α·(σ(z_n; 1) − y_n) + (1 − α)·c/T·(σ(z_n; T) − σ(v_n; T))],   c = T²

    z : the student's logits, (N, classes)
    v : the teacher's logits, (N, classes)
    y : labels, integers, (N,); in the formula y_n is a distribution, 1 for the label and 0 for all others
    T : temperature of the teacher's part, a number above 0
    alpha : α, weight of the labels, a number from 0 to 1
    g : the gradient with respect to z, (N, classes)

    L : the loss (KD-2), a number in nats
    N : number of examples
    σ : softened softmax (KD-1) of each example, probabilities of the classes
    c : the factor of the teacher's part in L, a number; c/T is T

    >>> soft_target_gradient([[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [5.0, 5.0]], [0, 1], 4.0, 1.0)
    [[-0.25, 0.25], [0.25, -0.25]]
    """
    gradient = []
    for z_n, v_n, y_n in zip(z, v, y, strict=True):
        parts = gradient_of_parts(z_n, v_n, one_hot(y_n, len(z_n)), T, alpha, 1 - alpha, T**2)
        gradient.append([g_i / len(z) for g_i in parts])
    return gradient


soft_target_gradient.must("is finite for large logits", is_finite)


@soft_target_gradient.must("sums to 0 over the classes")
def _rows_sum_to_zero(f, z, v, y, T, alpha):
    g = f(z, v, y, T, alpha)
    close(f, g.sum(axis=1), np.zeros(len(z)), "each example's gradients sum to 0, as a shift of z changes nothing", 256,
          1 + T)


@soft_target_gradient.must("is 0 where the student equals the teacher")
def _zero_at_the_teacher(f, z, v, y, T, alpha):
    close(f, f(v, v, y, T, 0.0), np.zeros(v.shape), "with α = 0, a student equal to the teacher has gradient 0", 256,
          1 + T)


@soft_target_gradient.must("tends to a difference of logits")
def _limit(f, z, v, y, T, alpha):
    """With c = T² the soft gradient tends to ((z − z̄) − (v − v̄))/classes; what is left is of order 1/T.

    In double precision: so high a T leaves nothing of a difference of probabilities in float32.
    """
    z, v = np.float64(z), np.float64(v)
    spread = max(np.ptp(z), np.ptp(v), 1.0)
    T = 1e3 * spread
    limit = (z - z.mean(axis=1, keepdims=True) - v + v.mean(axis=1, keepdims=True)) / z.size
    hold(np.abs(f(z, v, y, T, 0.0) - limit) <= 2 * spread**2 / T + 256 * f.eps * T,
         f"for T = {T:g} the soft gradient is not near ((z − z̄) − (v − v̄))/(N·classes)")


def _gradient(c=lambda T: T, hard=lambda z, T: softmax(z), sign=1, share=len, soft=softmax, detach=False):
    def function(z, v, y, T, alpha):
        labels = alpha * (hard(z, T) - _one_hot(z, y))
        taught = 0 if detach else (1 - alpha) * c(T) * (soft(z / T) - soft(v / T))
        return sign * (labels + taught) / share(z)
    return function


soft_target_gradient.must_agree(1024, lambda z, v, y, T, alpha: 1 + T)
soft_target_gradient.trap("1/T", "this is the gradient for c = 1: with c = T² one T remains.",
                          _gradient(c=lambda T: 1 / T))
soft_target_gradient.trap("T²", "this forgets that the derivative of z/T is 1/T: T²/T is T.",
                          _gradient(c=lambda T: T * T))
soft_target_gradient.trap("sign", "the sign is turned: this is the direction of descent.", _gradient(sign=-1))
soft_target_gradient.trap("sum", "this is the gradient of the sum over examples, not of their mean.",
                          _gradient(share=lambda z: 1))
soft_target_gradient.trap("no soft part", "the soft part has no gradient: its value was taken, not its derivative.",
                          _gradient(detach=True), seen=True)
soft_target_gradient.trap("over examples", "this softens over the examples: the classes of each one sum to 1.",
                          _gradient(soft=lambda z: softmax(z.T).T))
soft_target_gradient.trap("mean over classes", "this divides by the number of classes, too: L is a mean over examples "
                          "alone.", _gradient(share=np.size), seen=True)
soft_target_gradient.trap("labels not taken off", "y is not taken off: the labels' part is α(σ(z; 1) − y).",
                          lambda z, v, y, T, alpha: _gradient()(z, v, y, T, alpha) + alpha * _one_hot(z, y) / len(z))
soft_target_gradient.trap("overflow", "exp overflows: subtract the largest logit first.", _gradient(
    hard=lambda z, T: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)))
soft_target_gradient.trap("the student alone", "the teacher is not taken off.", lambda z, v, y, T, alpha: (
    alpha * (softmax(z) - _one_hot(z, y)) + (1 - alpha) * T * softmax(z / T)) / len(z))

# ---------------------------------------------------------------------------------------------------------------------
# KD-3


def _by_weight(loss):
    return lambda z, v, y, T, weight: loss(tensor(z), v, y, temperature=T, weight=weight).item()


@page("KD-3", cite=MAI_2022("eq. 9.3.3"),
      latex=r"L = \frac1N \sum_n \left[H(y_n, \sigma(z_n; 1)) + \lambda H(\sigma(v_n; T), \sigma(z_n; T))\right],\quad "
            r"H(p, q) = -\sum_i p_i \log q_i",
      implementation="minicompress.distillation.lambda_loss", adapt=_by_weight, digits=True,
      inputs=lambda rng, size: (*_logits_and_labels(rng, size), one_of(rng, 0.0, 0.25, 0.5, 1.0, 3.0)),
      cases=(ONE_OF_EACH,))
def lambda_loss(z, v, y, T, weight):
    """soft-target loss in the λ form

    L = 1/N·Σ_n [H(y_n, σ(z_n; 1)) + λ·H(σ(v_n; T), σ(z_n; T))],   H(p, q) = −Σ_i p_i log q_i

    z : the student's logits, (N, classes)
    v : the teacher's logits, (N, classes); its probabilities are the target, though the text writes the student first
    y : labels, integers, (N,); in the formula y_n is a distribution, 1 for the label and 0 for all others
    T : temperature of the teacher's part, a number above 0
    weight : λ, a number of at least 0
    L : the loss, a number in nats, the mean over the examples

    N : number of examples
    σ : softened softmax (KD-1) of each example, probabilities of the classes
    H : cross-entropy of two distributions, in nats
    p, q : distributions over the classes

    >>> round(lambda_loss([[0.0, 0.0]], [[5.0, 1.0]], [0], 4.0, 0.5), 6)  # 1.5 · log 2
    1.039721
    """
    total = 0
    for z_n, v_n, y_n in zip(z, v, y, strict=True):
        total += cross_entropy(one_hot(y_n, len(z_n)), softened(z_n, 1))
        total += weight * cross_entropy(softened(v_n, T), softened(z_n, T))
    return total / len(z)


lambda_loss.must("is finite for large logits", is_finite)


@lambda_loss.must("λ = 0 is cross-entropy")
def _without_weight(f, z, v, y, T, weight):
    close(f, f(z, v, y, T, 0.0), _hard(z, y).mean(), "with λ = 0 it is the cross-entropy with the labels", 256,
          1 + np.ptp(z))


@lambda_loss.must("is linear in λ")
def _linear_in_the_weight(f, z, v, y, T, weight):
    values = [f(z, v, y, T, x) for x in (0.0, 1.0, 2.0)]
    close(f, values[2] - values[1], values[1] - values[0], "the loss is not a straight line in λ", 512,
          _loss_size(z, v, y, T))


UNSCALED = _soft(_cross_entropy, scale=lambda T: 1.0)


def _as_lambda(soft, labels=UNSCALED):
    """A trap from its soft part, of KD-2's kind with α = 0, and its labels' part, with α = 1."""
    return lambda z, v, y, T, weight: labels(z, v, y, T, 1.0) + weight * soft(z, v, y, T, 0.0)


lambda_loss.must_agree(256, _loss_size)
lambda_loss.trap("student as target", "this is H(student, teacher): though the text writes the student first, the "
                 "teacher's probabilities are the target.",
                 _as_lambda(_soft(_cross_entropy, scale=lambda T: 1.0, swapped=True)))
lambda_loss.trap("c = T²", "the λ form has no factor T², which KD-2 has.", _as_lambda(_soft(_cross_entropy)))
lambda_loss.trap("1 − λ", "the labels' part has weight 1, whatever λ is.",
                 lambda z, v, y, T, weight: UNSCALED(z, v, y, T, 1 - weight))
lambda_loss.trap("λ squared", "λ is used twice.",
                 lambda z, v, y, T, weight: _as_lambda(UNSCALED)(z, v, y, T, weight**2))
lambda_loss.trap("sum", "this sums over the examples: asked for is their mean.",
                 lambda z, v, y, T, weight: len(z) * _as_lambda(UNSCALED)(z, v, y, T, weight))
lambda_loss.trap("over examples", "this softens over the examples: the classes of each one sum to 1.",
                 _as_lambda(_soft(_cross_entropy, scale=lambda T: 1.0, log_softmax=_over_examples)))
lambda_loss.trap("T on the labels too", "the part with the labels is taken at T: it is at temperature 1.", _as_lambda(
    UNSCALED, _soft(_cross_entropy, hard_temperature=lambda T: T)))
lambda_loss.trap("logarithm of a softmax", "this takes the logarithm of a probability that underflows to 0: use "
                 "log-softmax.", lambda z, v, y, T, weight: np.mean(
                     _hard(z, y) - weight * np.sum(softmax(v / T) * np.log(softmax(z / T)), axis=1)))
