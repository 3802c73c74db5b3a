"""Distillation, to the letter, on lists of plain numbers: z a student's logits of one example, v a teacher's.

The formulas overflow as floats where logits are large. As `decimal.Decimal` numbers they don't, and give many digits.
"""

import math
from decimal import Decimal


def exp(x):
    """e^x as what x is, a float or a Decimal.

    >>> exp(0.0), exp(Decimal(0))
    (1.0, Decimal('1'))
    """
    return x.exp() if isinstance(x, Decimal) else math.exp(x)


def log(x):
    """The natural logarithm as what x is, a float or a Decimal.

    >>> log(1.0), log(Decimal(1))
    (0.0, Decimal('0'))
    """
    return x.ln() if isinstance(x, Decimal) else math.log(x)


def softened(z, temperature):
    """(KD-1) p_i = exp(z_i/T) / Σ_j exp(z_j/T). Hinton et al. 2015, eq. 1; as printed, so it overflows for large z/T.

    >>> softened([0.0, 0.0], 3.0)
    [0.5, 0.5]
    """
    total = 0
    for z_j in z:
        total += exp(z_j / temperature)
    return [exp(z_i / temperature) / total for z_i in z]


def entropy(p):
    """H(p) = −Σ p log p in nats, with 0·log 0 = 0.

    >>> entropy([1.0, 0.0])
    0.0
    """
    return 0.0 - math.fsum(p_i * math.log(p_i) for p_i in p if p_i > 0)


def cross_entropy(p, q):
    """H(p, q) = −Σ p log q in nats.

    >>> cross_entropy([1.0, 0.0], [0.5, 0.5]) == math.log(2)
    True
    """
    total = 0
    for p_i, q_i in zip(p, q, strict=True):
        total -= p_i * log(q_i)
    return total


def divergence(p, q):
    """KL(p‖q) = Σ p log(p/q) in nats.

    >>> divergence([0.5, 0.5], [0.5, 0.5])
    0.0
    """
    return math.fsum(p_i * math.log(p_i / q_i) for p_i, q_i in zip(p, q, strict=True) if p_i > 0)


def soft_target_loss(z, v, y, temperature, alpha, beta, c):
    """(KD-2) α·H(y, σ(z; 1)) + β·c·H(σ(v; τ), σ(z; τ)), the mean over the examples; y are distributions.

    >>> round(soft_target_loss([[0.0, 0.0]], [[5.0, 1.0]], [[1.0, 0.0]], 4.0, 0.5, 0.5, 1.0), 6)  # log 2
    0.693147
    """
    total = 0
    for z_n, v_n, y_n in zip(z, v, y, strict=True):
        total += alpha * cross_entropy(y_n, softened(z_n, 1))
        total += beta * c * cross_entropy(softened(v_n, temperature), softened(z_n, temperature))
    return total / len(z)


def soft_target_gradient(z, v, y, temperature, alpha, beta, c):
    """(KD-2) ∂L/∂z of one example: α(σ(z; 1) − y) + (βc/τ)(σ(z; τ) − σ(v; τ)).

    >>> soft_target_gradient([0.0, 0.0], [0.0, 0.0], [1.0, 0.0], 4.0, 1.0, 1.0, 1.0)
    [-0.5, 0.5]
    """
    hard, soft, wanted = softened(z, 1), softened(z, temperature), softened(v, temperature)
    return [alpha * (hard[i] - y[i]) + beta * c / temperature * (soft[i] - wanted[i]) for i in range(len(z))]


def lambda_loss(z, v, y, temperature, weight):
    """(KD-3) H(y, σ(z; 1)) + λ·H(σ(v; τ), σ(z; τ)), the mean over the examples; the teacher is the target.

    >>> round(lambda_loss([[0.0, 0.0]], [[5.0, 1.0]], [[1.0, 0.0]], 4.0, 0.5), 6)  # 1.5 · log 2
    1.039721
    """
    total = 0
    for z_n, v_n, y_n in zip(z, v, y, strict=True):
        total += cross_entropy(y_n, softened(z_n, 1))
        total += weight * cross_entropy(softened(v_n, temperature), softened(z_n, temperature))
    return total / len(z)


def high_temperature_gradient(z, v, temperature):
    """(KD-4) (z_i − v_i)/(N·T²), where ∂C/∂z_i of C = H(σ(v; T), σ(z; T)) tends to. Hinton et al. 2015, eq. 4.

    The paper assumes logits of mean zero for each example; here z and v have equal means.

    >>> high_temperature_gradient([1.0, -1.0], [0.0, 0.0], 2.0)
    [0.125, -0.125]
    """
    return [(z_i - v_i) / (len(z) * temperature**2) for z_i, v_i in zip(z, v, strict=True)]


def mean_of_probabilities(teachers, weights, temperature):
    """(KD-5) p = Σ_k w_k σ(v_k; τ) of one example.

    >>> mean_of_probabilities([[1.0, 1.0], [2.0, 2.0]], [0.25, 0.75], 3.0)
    [0.5, 0.5]
    """
    p = [0] * len(teachers[0])
    for v, w in zip(teachers, weights, strict=True):
        for i, p_i in enumerate(softened(v, temperature)):
            p[i] += w * p_i
    return p


def mean_of_logits(teachers, weights, temperature):
    """(KD-5), the variant: the softmax of the mean logits Σ_k w_k v_k.

    >>> mean_of_logits([[0.0, 2.0], [2.0, 0.0]], [0.5, 0.5], 3.0)
    [0.5, 0.5]
    """
    mean = [0] * len(teachers[0])
    for v, w in zip(teachers, weights, strict=True):
        for i, v_i in enumerate(v):
            mean[i] += w * v_i
    return softened(mean, temperature)


def logit_regression(z, v):
    """(KD-23) ½‖z − v‖², the mean over the examples.

    >>> logit_regression([[1.0, 2.0]], [[1.0, 4.0]])
    2.0
    """
    total = 0
    for z_n, v_n in zip(z, v, strict=True):
        for z_i, v_i in zip(z_n, v_n, strict=True):
            total += (z_i - v_i) ** 2 / 2
    return total / len(z)
