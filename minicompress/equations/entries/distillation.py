"""Entries of distillation: softened probabilities (KD-1), their limit (KD-4), several teachers (KD-5), KD-23."""

import numpy as np

from .. import distillation as literal
from ..ledger import Equation, Trap
from ..suite import agrees, close, hold
from .draw import eighths, one_of, precisely, tensor

HINTON = "Hinton et al. 2015, "
TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 20.0)


def softmax(z):
    """Of each row, for the traps: as it should be."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(z):
    """Of each row, for the traps: as it should be."""
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def logits(rng, shape):
    """Eighths, now and then so large that exp overflows."""
    return eighths(rng, shape) * one_of(rng, 1, 1, 1, 1, 1000)


# ---------------------------------------------------------------------------------------------------------------------
# KD-1


def _is_a_distribution(f, *inputs):
    p = f(*inputs)
    hold(p >= 0, "a probability is negative")
    close(f, p.sum(axis=-1), np.ones(p.shape[:-1]), f"the probabilities sum to {p.sum(axis=-1)}, expected 1")


def is_finite(f, *inputs):
    hold(np.isfinite(f(*inputs)), "the answer is not finite: exp overflows (or a logarithm meets 0)")


def _order_is_kept(f, z, T):
    hold(np.diff(f(z, T)[np.argsort(z, kind="stable")]) >= 0, "a larger logit has a smaller probability")


def _shifts_change_nothing(f, z, T):
    close(f, f(z + 16, T), f(z, T), "the same number added to every logit must change nothing", 256, 1.0)


def _entropy_grows(f, z, T):
    cold, warm = (literal.entropy(f(z, t).tolist()) for t in (T, 2 * T))
    hold(warm >= cold - 64 * f.eps, f"the entropy falls from {cold:.6g} to {warm:.6g} as T grows from {T} to {2 * T}")


def _uniform_in_the_end(f, z, T):
    hold(np.abs(f(z, 1e9) - 1 / z.size) <= 2 * np.ptp(z) / 1e9 + 64 * f.eps, "for T = 10⁹ all are nearly equal")


SOFTENED_REFERENCE = precisely(literal.softened)
SOFTENED = Equation(
    id="KD-1", title="softened softmax", source=HINTON + "eq. 1",
    latex=r"p_i = \frac{\exp(z_i / T)}{\sum_j \exp(z_j / T)}", formula="p_i = exp(z_i/T) / Σ_j exp(z_j/T)",
    arguments={"z": "logits, (classes,)", "T": "temperature, above 0"}, results={"p": "probabilities, (classes,)"},
    implementation="minicompress.distillation.softened", reference=SOFTENED_REFERENCE,
    adapt=lambda softened: lambda z, T: softened(tensor(z[None]), T).numpy()[0],
    inputs=lambda rng, size: (logits(rng, size + 1), one_of(rng, *TEMPERATURES)),
    cases=((np.array([0.0, 2.0]), 1.0), (np.array([1e4, 9999.0, -1e4]), 1.0)),
    properties={"is finite for large logits": is_finite, "probabilities sum to 1": _is_a_distribution,
                "keeps the order": _order_is_kept, "ignores a shift of all logits": _shifts_change_nothing,
                "entropy grows with T": _entropy_grows, "a very high T makes it uniform": _uniform_in_the_end,
                "is what the formula gives": agrees(SOFTENED_REFERENCE, 1024, lambda *_: 1.0)},
    traps=(Trap("overflow", "this is the formula as printed, whose exp overflows: subtract the largest logit first.",
                lambda z, T: np.exp(z / T) / np.exp(z / T).sum()),
           Trap("T multiplies", "this multiplies by T: a higher T must flatten, so it divides.",
                lambda z, T: softmax(z * T)),
           Trap("T forgotten", "this is the softmax at T = 1: the temperature is not used.", lambda z, T: softmax(z)),
           Trap("divided afterwards", "T divides the probabilities: it must divide the logits.",
                lambda z, T: softmax(z) / T),
           Trap("logarithms", "these are the logarithms of the probabilities.", lambda z, T: log_softmax(z / T)),
           Trap("magnitudes", "this looks at magnitudes: a very negative logit becomes likely.",
                lambda z, T: softmax(np.abs(z) / T)),
           Trap("sigmoid", "these are sigmoids, one for each class: they don't sum to 1.",
                lambda z, T: 1 / (1 + np.exp(-np.clip(z / T, -500, 500)))),
           Trap("clipped", "the logits are clipped: far apart is not the same as 20 apart, and shifts must not matter.",
                lambda z, T: softmax(np.clip(z / T, -20, 20)))))

# ---------------------------------------------------------------------------------------------------------------------
# KD-4, KD-5, KD-23


_EXACT_GRADIENT = precisely(lambda z, v, T: literal.soft_target_gradient(z, v, z, T, 0, 1, 1))


def _near_the_gradient(f, z, v, T):
    spread = max(np.ptp(z), np.ptp(v), 1.0)
    T = 20 * spread
    exact = _EXACT_GRADIENT(z, v, T)
    hold(np.abs(f(z, v, T) - exact) <= 2 * spread**2 / T**3 / z.size + 64 * f.eps,
         f"at T = {T:g} it must be near ∂H/∂z, to the order 1/T³")


def _falls_with_the_square(f, z, v, T):
    close(f, f(z, v, 2 * T), f(z, v, T) / 4, "twice the temperature must give a quarter", 16)


def _limit_inputs(rng, size):
    z, v = eighths(rng, (2, size + 1))
    return z - z.mean(), v - v.mean(), one_of(rng, *TEMPERATURES[1:])


def _regressed(loss):
    def function(z, v, T):
        student = tensor(z[None], requires_grad=True)
        loss(student, v[None]).backward()
        return student.grad[0] / (z.size * T**2)
    return function


LIMIT = Equation(
    id="KD-4", title="the gradient at a high temperature", source=HINTON + "eq. 4",
    latex=r"\frac{\partial C}{\partial z_i} \approx \frac{1}{N T^2} (z_i - v_i)",
    formula="∂C/∂z_i ≈ (z_i − v_i) / (N·T²) for C = H(σ(v; T), σ(z; T)), N classes, and logits of mean zero",
    arguments={"z": "the student's logits, of mean zero, (N,)", "v": "the teacher's, of mean zero, (N,)",
               "T": "temperature"}, results={"g": "the approximate ∂C/∂z, (N,)"},
    implementation="minicompress.distillation.logit_regression_loss", adapt=_regressed,
    reference=precisely(literal.high_temperature_gradient), inputs=_limit_inputs,
    properties={"falls with the square of T": _falls_with_the_square,
                "is near the true gradient for a large T": _near_the_gradient,
                "is what the formula gives": agrees(precisely(literal.high_temperature_gradient), 64)},
    traps=(Trap("T not squared", "T is not squared: one 1/T is the derivative of z/T, the other that of the softmax.",
                lambda z, v, T: (z - v) / (z.size * T)),
           Trap("N forgotten", "the number of classes N is forgotten.", lambda z, v, T: (z - v) / T**2),
           Trap("sign", "student and teacher have changed places.", lambda z, v, T: (v - z) / (z.size * T**2)),
           Trap("exact", "this is the exact gradient, (σ(z; T) − σ(v; T))/T: asked for is its limit.",
                lambda z, v, T: (softmax(z / T) - softmax(v / T)) / T)))


def _teachers(rng, size):
    teachers = int(rng.integers(1, 4))
    w = rng.multinomial(8 - teachers, np.ones(teachers) / teachers) + 1
    return logits(rng, (teachers, size + 1)), w / 8, one_of(rng, *TEMPERATURES)


def _one_teacher(f, v, w, T):
    close(f, f(v[:1], np.ones(1), T), SOFTENED_REFERENCE(v[0], T), "one teacher is its own softened softmax", 1024, 1.0)


def _mixed(combine):
    return lambda soft_targets: lambda v, w, T: soft_targets(
        list(v[:, None]), temperature=T, weights=w, combine=combine)[0]


def _arithmetic(v, w, T):
    return w @ softmax(v / T)


def _geometric(v, w, T):
    return softmax(w @ v / T)


SEVERAL = {"v": "the teachers' logits, (K, classes)", "w": "their weights, of sum 1, (K,)", "T": "temperature τ"}
MIXTURE_TRAPS = (
    Trap("unweighted", "the weights are not used.", lambda v, w, T: softmax(v / T).mean(axis=0)),
    Trap("sum", "this sums over the teachers without weights.", lambda v, w, T: softmax(v / T).sum(axis=0)),
    Trap("T forgotten", "the temperature is not used.", lambda v, w, T: w @ softmax(v)))
SEVERAL_REFERENCE, SEVERAL_LOGITS = precisely(literal.mean_of_probabilities), precisely(literal.mean_of_logits)
TEACHERS = Equation(
    id="KD-5", title="several teachers, mixed as probabilities", source=HINTON + "section 2 (the arithmetic mean)",
    latex=r"p = \sum_k w_k\, \sigma(v_k; \tau)", formula="p = Σ_k w_k·σ(v_k; τ)",
    arguments=SEVERAL, results={"p": "probabilities, (classes,)"},
    implementation="minicompress.distillation.soft_targets", reference=SEVERAL_REFERENCE, adapt=_mixed("probabilities"),
    inputs=_teachers,
    properties={"is finite for large logits": is_finite, "probabilities sum to 1": _is_a_distribution,
                "one teacher is KD-1": _one_teacher,
                "is what the formula gives": agrees(SEVERAL_REFERENCE, 1024, lambda *_: 1.0)},
    traps=(Trap("mean logits", "this is the softmax of the mean logits, the other way to mix teachers.", _geometric),
           Trap("overflow", "exp overflows: subtract the largest logit first.",
                lambda v, w, T: w @ (np.exp(v / T) / np.exp(v / T).sum(axis=1, keepdims=True))), *MIXTURE_TRAPS))
TEACHERS_LOGITS = Equation(
    id="KD-5:logits", title="several teachers, mixed as logits", source=HINTON + "section 2 (the geometric mean)",
    latex=r"p = \sigma\left(\textstyle\sum_k w_k v_k;\; \tau\right)", formula="p = σ(Σ_k w_k·v_k; τ)",
    arguments=SEVERAL, results={"p": "probabilities, (classes,)"},
    implementation="minicompress.distillation.soft_targets", reference=SEVERAL_LOGITS, adapt=_mixed("logits"),
    inputs=_teachers,
    properties={"is finite for large logits": is_finite, "probabilities sum to 1": _is_a_distribution,
                "one teacher is KD-1": _one_teacher,
                "is what the formula gives": agrees(SEVERAL_LOGITS, 4096, lambda *_: 1.0)},
    traps=(Trap("mean probabilities", "this mixes probabilities, the other way to mix teachers.", _arithmetic),
           Trap("overflow", "exp overflows: subtract the largest logit first.",
                lambda v, w, T: np.exp(w @ v / T) / np.exp(w @ v / T).sum()), *MIXTURE_TRAPS))


def _zero_if_equal(f, z, v):
    hold(f(z, z) == 0, "equal logits have loss 0")


def _quarter(f, z, v):
    close(f, f(v + 2 * (z - v), v), 4 * f(z, v), "twice the distance is four times the loss", 256,
          1 + np.sum((z - v) ** 2))


REGRESSION = Equation(
    id="KD-23", title="logit regression", source="Ba & Caruana 2014, the L2 loss on logits",
    latex=r"\frac{1}{N} \sum_n \tfrac12 \lVert z_n - v_n \rVert^2", formula="½·‖z − v‖², the mean over the N examples",
    arguments={"z": "the student's logits, (N, classes)", "v": "the teacher's, (N, classes)"},
    results={"L": "a number"},
    implementation="minicompress.distillation.logit_regression_loss", reference=precisely(literal.logit_regression),
    adapt=lambda loss: lambda z, v: loss(tensor(z), v).item(),
    inputs=lambda rng, size: tuple(eighths(rng, (2, int(rng.integers(1, 5)), size + 1))),
    properties={"equal logits give 0": _zero_if_equal, "grows with the square": _quarter,
                "is what the formula gives": agrees(precisely(literal.logit_regression), 256)},
    traps=(Trap("mean over classes", "this is a mean over classes too: the norm is a sum over them.",
                lambda z, v: np.mean((z - v) ** 2) / 2),
           Trap("no half", "the factor ½ is missing.", lambda z, v: np.sum((z - v) ** 2) / len(z)),
           Trap("sum", "this sums over the examples: asked for is their mean.", lambda z, v: np.sum((z - v) ** 2) / 2),
           Trap("distance", "this is the distance: it is squared in the loss.",
                lambda z, v: np.mean(np.linalg.norm(z - v, axis=1)) / 2),
           Trap("not a difference", "the teacher is added: it must be taken off.",
                lambda z, v: np.sum((z + v) ** 2) / 2 / len(z))))

ENTRIES = (SOFTENED, LIMIT, TEACHERS, TEACHERS_LOGITS, REGRESSION)
