"""Logit regression (KD-23), and the limit of soft targets that it is (KD-4)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.literal import precisely
from minicompress.checker.page import page, tensor
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close, hold

from .soft_targets import gradient_of_parts
from .softened import HINTON_2015, TEMPERATURES, softmax

BA_2014 = Paper("ba2014deep", ("Ba, Jimmy", "Caruana, Rich"), "Do Deep Nets Really Need to be Deep?", 2014, "NIPS",
                arxiv="1312.6184")

# ---------------------------------------------------------------------------------------------------------------------
# KD-23


def _student_and_teacher(rng, size):
    """Some examples and classes, one of each among them."""
    return tuple(eighths(rng, (2, int(rng.integers(1, 5)), one_of(rng, *[size + 1] * 5, 1))))


@page("KD-23", cite=BA_2014("section 2.2, the L2 loss on logits"),
      latex=r"L = \frac1N \sum_n \tfrac12 \lVert z_n - v_n \rVert^2",
      implementation="minicompress.distillation.logit_regression_loss",
      adapt=lambda loss: lambda z, v: loss(tensor(z), v).item(), digits=True, inputs=_student_and_teacher,
      cases=((np.array([[1.0, 2.0], [0.0, 0.0], [-4.0, 0.0]]), np.array([[1.0, 4.0], [0.0, 0.0], [-1.0, 4.0]])),))
def logit_regression(z, v):
    """logit regression

    L = 1/N·Σ_n ½·‖z_n − v_n‖²

    z : the student's logits, (N, classes)
    v : the teacher's logits, (N, classes)
    L : the loss, a number, the mean over the examples

    N : number of examples
    ‖x‖ : the length of x, a number: the root of the sum of the squares of its numbers

    >>> logit_regression([[1.0, 2.0], [0.0, 0.0]], [[1.0, 4.0], [0.0, 0.0]])
    1.0
    """
    total = 0
    for z_n, v_n in zip(z, v, strict=True):
        for z_i, v_i in zip(z_n, v_n, strict=True):
            total += (z_i - v_i) ** 2 / 2
    return total / len(z)


@logit_regression.must("equal logits give 0")
def _zero_if_equal(f, z, v):
    hold(f(z, z) == 0, "equal logits have loss 0")


@logit_regression.must("grows with the square")
def _quarter(f, z, v):
    close(f, f(v + 2 * (z - v), v), 4 * f(z, v), "twice the distance is four times the loss", 256,
          1 + np.sum((z - v) ** 2))


logit_regression.must_agree(256)
logit_regression.trap("mean over classes", "this is a mean over classes too: the norm is a sum over them.",
                      lambda z, v: np.mean((z - v) ** 2) / 2, seen=True)
logit_regression.trap("no half", "the factor ½ is missing.", lambda z, v: np.sum((z - v) ** 2) / len(z), seen=True)
logit_regression.trap("sum", "this sums over the examples: asked for is their mean.",
                      lambda z, v: np.sum((z - v) ** 2) / 2)
logit_regression.trap("distance", "this is the distance: it is squared in the loss.",
                      lambda z, v: np.mean(np.linalg.norm(z - v, axis=1)) / 2)
logit_regression.trap("not a difference", "the teacher is added: it must be taken off.",
                      lambda z, v: np.sum((z + v) ** 2) / 2 / len(z))
logit_regression.trap("first example", "this looks at the first example alone.",
                      lambda z, v: np.sum((z[0] - v[0]) ** 2) / 2)
logit_regression.trap("divided by the classes", "this divides by the number of classes: the mean is one over examples.",
                      lambda z, v: np.sum((z - v) ** 2) / 2 / z.shape[1])

# ---------------------------------------------------------------------------------------------------------------------
# KD-4


def _of_mean_zero(rng, size):
    z, v = eighths(rng, (2, one_of(rng, *[size + 1] * 5, 1)))
    return z - z.mean(), v - v.mean(), one_of(rng, *TEMPERATURES[1:])


def _regressed(loss):
    def function(z, v, T):
        student = tensor(z[None], requires_grad=True)
        loss(student, v[None]).backward()
        return student.grad[0] / (z.size * T**2)
    return function


@page("KD-4", cite=HINTON_2015("eq. 4"),
      latex=r"\frac{\partial C}{\partial z_i} \approx g_i = \frac{1}{N T^2} (z_i - v_i),\quad "
            r"C = H(\sigma(v; T), \sigma(z; T))",
      implementation="minicompress.distillation.logit_regression_loss", adapt=_regressed, digits=True,
      inputs=_of_mean_zero, cases=((np.array([1.0, -1.0]), np.zeros(2), 2.0), (np.ones(2) - 1, np.zeros(2), 1.0)))
def high_temperature_gradient(z, v, T):
    """the gradient at a high temperature

    ∂C/∂z_i ≈ g_i = 1/(N·T²)·(z_i − v_i),   C = H(σ(v; T), σ(z; T))

    z : the student's logits, of mean zero, as the paper assumes, (N,)
    v : the teacher's logits, of mean zero, (N,)
    T : temperature, a number above 0
    g : the approximate gradient of C with respect to z, (N,)

    N : number of classes
    C : what is minimised, a number in nats
    H : cross-entropy of two distributions (KD-2), in nats
    σ : softened softmax (KD-1), probabilities of the classes

    >>> high_temperature_gradient([1.0, -1.0], [0.0, 0.0], 2.0)
    [0.125, -0.125]
    """
    return [(z_i - v_i) / (len(z) * T**2) for z_i, v_i in zip(z, v, strict=True)]


@high_temperature_gradient.must("falls with the square of T")
def _falls_with_the_square(f, z, v, T):
    close(f, f(z, v, 2 * T), f(z, v, T) / 4, "twice the temperature must give a quarter", 16)


_exact_gradient = precisely(lambda z, v, T: gradient_of_parts(z, v, z, T, 0, 1, 1))


@high_temperature_gradient.must("is near the true gradient for a large T")
def _near_the_gradient(f, z, v, T):
    spread = max(np.ptp(z), np.ptp(v), 1.0)
    T = float(20 * spread)
    exact = _exact_gradient(z, v, T)
    hold(np.abs(f(z, v, T) - exact) <= 2 * spread**2 / T**3 / z.size + 64 * f.eps,
         f"at T = {T:g} it must be near ∂H/∂z, to the order 1/T³")


high_temperature_gradient.must_agree(64)
high_temperature_gradient.trap(
    "T not squared", "T is not squared: one 1/T is the derivative of z/T, the other that of the softmax.",
    lambda z, v, T: (z - v) / (z.size * T))
high_temperature_gradient.trap("N forgotten", "the number of classes N is forgotten.", lambda z, v, T: (z - v) / T**2)
high_temperature_gradient.trap("sign", "student and teacher have changed places.",
                               lambda z, v, T: (v - z) / (z.size * T**2))
high_temperature_gradient.trap("exact", "this is the exact gradient, (σ(z; T) − σ(v; T))/T: asked for is its limit.",
                               lambda z, v, T: (softmax(z / T) - softmax(v / T)) / T)
high_temperature_gradient.trap("multiplied by T²", "this multiplies by T², as the loss with c = T² does: C has no such "
                               "factor.", lambda z, v, T: (z - v) / z.size)
