"""Entries of binary networks as they compute: XNOR products, what they cost, batch norm as a threshold (BI-8 to 10)."""

import numpy as np

from .. import binarization as literal
from ..ledger import Equation, Trap, resolve
from ..suite import agrees, hold
from .binarization import BNN, XNOR, plus_or_minus_one
from .draw import listed, one_of


def _signs_of(word, n):
    return [1 if word >> i & 1 else -1 for i in range(n)]


def _dot(a, b, n):
    return literal.dot(_signs_of(a, n), _signs_of(b, n))


def _parity(f, a, b, n):
    found = f(a, b, n)
    hold((abs(found) <= n) & ((found - n) % 2 == 0),
         f"a sum of {n} numbers ±1 lies within ±{n}, and is even or odd as {n} is")


def _itself(f, a, b, n):
    hold(f(a, a, n) == n, "a vector of n signs times itself is n")


def _words(rng, size):
    n = int(rng.integers(1, 12 * size))
    a, b = (int.from_bytes(rng.bytes(n // 8 + 1), "little") % 2**n for _ in range(2))
    return a, b, n


def _packed(matmul):
    def function(a, b, n):
        pack = resolve("minicompress.kernels.xnor.pack")
        return matmul(*(pack(np.array([_signs_of(word, n)])) for word in (a, b)), n)[0, 0]
    return function


XNOR_DOT = Equation(
    id="BI-8", title="a product of signs by counting bits",
    source=XNOR + "section 3.2; MindSpore's textbook, section 9.3",
    latex=r"a \cdot b = n - 2\,\mathrm{popcount}(a \oplus b)",
    formula="a·b = n − 2·popcount(a xor b), bit 1 for +1, 0 for −1",
    arguments={"a": "n signs as the bits of an integer", "b": "likewise", "n": "how many"},
    results={"dot": "an integer"}, implementation="minicompress.kernels.xnor.matmul", adapt=_packed, reference=_dot,
    inputs=lambda rng, size: _words(rng, size), cases=((5, 7, 3), (0, 0, 1), (2**65 - 1, 0, 65)),
    properties={"is a sum of n signs": _parity, "a vector times itself is n": _itself,
                "is what the formula gives": agrees(_dot, 0)},
    traps=(Trap("tail bits", "the bits behind the last sign are counted too, as if there were a multiple of 64.",
                lambda a, b, n: -(-n // 64) * 64 - 2 * (a ^ b).bit_count()),
           Trap("once", "each differing bit takes 2 off: it turns +1 into −1.",
                lambda a, b, n: n - (a ^ b).bit_count()),
           Trap("and", "this counts where both are +1: where both are −1 the product is +1 too.",
                lambda a, b, n: 2 * (a & b).bit_count() - n),
           Trap("turned", "this counts differing bits as +1.", lambda a, b, n: 2 * (a ^ b).bit_count() - n)))


def _at_most_a_word(f, channels, size):
    hold(f(channels, size) < 64, "at best 64 products count as one: the speedup stays below 64")


def _more_is_faster(f, channels, size):
    hold(f(2 * channels, size) > f(channels, size), "more channels must use a word better")


COST = Equation(
    id="BI-9", title="theoretical speedup of a binary convolution", source=XNOR + "Efficiency Analysis",
    latex=r"S = \frac{64\, c\, N_W}{c\, N_W + 64}", formula="S = 64·c·N_W / (c·N_W + 64)",
    arguments={"c": "input channels", "n_w": "N_W, places of a filter"},
    results={"speedup": "a number, never measured"},
    implementation="minicompress.bench.xnor.run", adapt=None, reference=literal.speedup,
    inputs=lambda rng, size: (int(rng.integers(1, 64 * size)), one_of(rng, 1, 9, 25)), cases=((256, 9),),
    properties={"is below 64": _at_most_a_word, "grows with the channels": _more_is_faster,
                "is what the formula gives": agrees(literal.speedup, 8)},
    traps=(Trap("word only", "this forgets the operations of the scaling.", lambda c, n: 64.0),
           Trap("inverted", "this is the share of time that remains.", lambda c, n: (c * n + 64) / (64 * c * n)),
           Trap("32", "a word holds 64 bits here.", lambda c, n: 32 * c * n / (c * n + 32)),
           Trap("scaling free", "this counts the scaling as nothing but still divides.", lambda c, n: c * n)))


MOST_COUNTED = 4096  # |x| of the inputs


def _norm_inputs(rng, size):
    """Powers of two and 64ths, so that the batch norm is exact; means where half precision has no 64ths left."""
    mean, gamma = one_of(rng, 0, 0, 2000), one_of(rng, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
    beta = one_of(rng, int(rng.integers(-3, 4)), int(rng.integers(-192, 193)) / 64)
    x = mean + rng.integers(-6, 7, size + 2)
    return x, float(mean + rng.integers(-3, 4)), one_of(rng, 0.25, 0.5, 1.0, 2.0), gamma, float(beta)


def _threshold(x, *norm):
    return [literal.threshold_sign(v, *norm) for v in x]


def _turned_round(f, x, mean, deviation, gamma, beta):
    if gamma:
        hold(f(2 * mean - x, mean, deviation, -gamma, beta) == f(x, mean, deviation, gamma, beta),
             "mirroring x at the mean and turning γ's sign must change nothing")


def _folded(fold):
    def function(x, mean, deviation, gamma, beta):
        eps = 2.0**-10
        norm = resolve("minicompress.nn.BatchNorm1d")(1, eps=eps)
        norm.weight.set(np.float32([gamma]))
        norm.bias.set(np.float32([beta]))
        norm.set_buffer("running_mean", np.float32([mean]))
        norm.set_buffer("running_var", np.float32([deviation**2 - eps]))
        codes = resolve("minicompress.engine.Codes")(x.astype(np.int32)[:, None])
        return fold(norm, MOST_COUNTED)(codes).data[:, 0]
    return function


def _in_half_precision(x, mean, deviation, gamma, beta):
    if not gamma:
        return np.full(x.shape, 1 if beta >= 0 else -1)
    threshold = float(np.float16(mean - beta * deviation / gamma))
    return np.where(x >= threshold if gamma > 0 else x <= threshold, 1, -1)


def _one_way(x, mean, deviation, gamma, beta):
    return np.where(x >= (mean - beta * deviation / gamma if gamma else -np.inf if beta >= 0 else np.inf), 1, -1)


def _strict(x, mean, deviation, gamma, beta):
    if gamma >= 0:
        return np.array(_threshold(x, mean, deviation, gamma, beta))
    return np.where(x < mean - beta * deviation / gamma, 1, -1)


def _flat(x, mean, deviation, gamma, beta):
    return np.array(_threshold(x, mean, deviation, gamma, beta)) if gamma else np.ones_like(x)


FOLD = Equation(
    id="BI-10", title="batch norm and sign as a threshold", source="deployment of BNN, " + BNN.rstrip(", "),
    latex=r"\mathrm{sign}\left(\gamma \frac{x - \mu}{\sigma} + \beta\right):\; \tau = \mu - \beta\sigma/\gamma",
    formula="τ = μ − β·σ/γ;  γ > 0: +1 if x ≥ τ;  γ < 0: +1 if x ≤ τ;  γ = 0: sign(β);  else −1",
    arguments={"x": "whole numbers, (n,)", "mean": "μ", "deviation": "σ, above 0", "gamma": "γ", "beta": "β"},
    results={"signs": "(n,)"}, implementation="minicompress.binarization.packed.fold", adapt=_folded,
    reference=listed(_threshold), inputs=_norm_inputs, cases=((np.array([0, 1, 2]), 1.0, 1.0, -1.0, 0.0),),
    properties={"is +1 or −1": plus_or_minus_one, "γ's sign turns the comparison": _turned_round,
                "is the sign of the batch norm": agrees(listed(lambda x, *norm: [
                    literal.batch_norm_sign(v, *norm) for v in x]), 0)},
    traps=(Trap("one way", "γ < 0 turns the comparison round: x ≤ τ.", _one_way),
           Trap("ties", "for γ < 0 the threshold itself gives +1: there the batch norm is 0.", _strict),
           Trap("γ = 0", "for γ = 0 the sign is that of β.", _flat),
           Trap("np.sign", "at the threshold np.sign gives 0.", lambda x, mean, deviation, gamma, beta: np.sign(
               gamma * (x - mean) / deviation + beta)),
           Trap("τ rounded", "τ is rounded to half precision: beside a large μ its decimals are gone.",
                _in_half_precision),
           Trap("β's sign", "β·σ/γ is added to μ: it is taken off.", lambda x, mean, deviation, gamma, beta: np.array(
               _threshold(x, mean, deviation, gamma, -beta)))))

ENTRIES = (XNOR_DOT, COST, FOLD)
