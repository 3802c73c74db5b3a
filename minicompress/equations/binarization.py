"""Binary networks, to the letter, on plain numbers and lists of them."""

import itertools


def sign(x):
    """(BI-1) +1 if x ≥ 0, else −1; −0.0 ≥ 0. Courbariaux et al. 2016, eq. 1.

    >>> [sign(x) for x in (-2.5, -0.0, 0.0, 0.5)]
    [-1, 1, 1, 1]
    """
    return 1 if x >= 0 else -1


def probability_of_plus(x):
    """(BI-2) P(x^b = +1) = clip((x + 1)/2, 0, 1), the hard sigmoid. Courbariaux et al. 2015, eq. 2 and 3.

    >>> [probability_of_plus(x) for x in (-2, 0, 0.5, 3)]
    [0, 0.5, 0.75, 1]
    """
    return max(0, min(1, (x + 1) / 2))


def straight_through(r, g):
    """(BI-3) g_r = g_q · 1[abs(r) ≤ 1]. Courbariaux et al. 2016, eq. 4.

    >>> [straight_through(r, 5.0) for r in (-1.5, -1.0, 0.25, 1.0, 1.25)]
    [0.0, 5.0, 5.0, 5.0, 0.0]
    """
    return g if abs(r) <= 1 else 0.0


def clipped_step(w, gradient, lr):
    """(BI-4) w ← clip(w − η·∂C/∂w^b, −1, 1). Courbariaux et al. 2015, algorithm 1.

    >>> clipped_step(0.5, -2.0, 0.125), clipped_step(0.5, -8.0, 0.125)
    (0.75, 1)
    """
    return max(-1, min(1, w - lr * gradient))


def scaling(weights):
    """(BI-5) α* = ‖W‖₁/n and B* = sign(W), which minimise ‖W − α·B‖². Rastegari et al. 2016, eq. 6.

    >>> scaling([3.0, -1.0])
    (2.0, [1, -1])
    """
    return sum(abs(w) for w in weights) / len(weights), [sign(w) for w in weights]


def least_error(weights):
    """(BI-5) The least ‖W − α·B‖² over every B of ±1, each with its own best α = W·B/n: 2ⁿ of them, so for a handful.

    >>> least_error([3.0, -1.0])
    2.0
    """
    n, errors = len(weights), []
    for signs in itertools.product((-1, 1), repeat=n):
        alpha = sum(w * b for w, b in zip(weights, signs, strict=True)) / n
        errors.append(sum((w - alpha * b) ** 2 for w, b in zip(weights, signs, strict=True)))
    return min(errors)


def scaling_gradient(weights, gradient):
    """(BI-7) ∂C/∂W_i of C(α·sign(W)) in full: g_i·α·sign'(W_i) + sign(W_i)/n · Σ_j g_j·sign(W_j), sign' by BI-3.

    The form that Rastegari et al. 2016 print, g_i·(1/n + sign'(W_i)·α), drops the cross terms of the sum.

    >>> scaling_gradient([0.5, -1.5], [1.0, 2.0])
    [0.5, 0.5]
    """
    n, (alpha, signs) = len(weights), scaling(weights)
    common = sum(g * b for g, b in zip(gradient, signs, strict=True)) / n
    return [straight_through(w, g) * alpha + b * common for w, g, b in zip(weights, gradient, signs, strict=True)]


def dot(a, b):
    """a·b of two lists of ±1, by multiplication: what BI-8 must equal.

    >>> dot([1, -1, 1], [1, 1, 1])
    1
    """
    return sum(x * y for x, y in zip(a, b, strict=True))


def xnor_dot(a, b):
    """(BI-8) a·b = n − 2·popcount(a xor b), the numbers packed into the bits of two integers. Rastegari et al. 2016.

    >>> xnor_dot([1, -1, 1], [1, 1, 1])
    1
    """
    packed = [sum(1 << i for i, x in enumerate(numbers) if x > 0) for numbers in (a, b)]
    return len(a) - 2 * (packed[0] ^ packed[1]).bit_count()


def convolution(image, filters, stride, padding):
    """The cross-correlation of one ±1 image, lists [c][h][w], with ±1 filters [f][c][k][k]; zero outside the image.

    >>> convolution([[[1, -1]]], [[[[1]]], [[[-1]]]], 1, 0)
    [[[1, -1]], [[-1, 1]]]
    """
    height, width, k = len(image[0]), len(image[0][0]), len(filters[0][0])
    result = []
    for kernel in filters:
        rows = []
        for top in range(-padding, height + padding - k + 1, stride):
            row = []
            for left in range(-padding, width + padding - k + 1, stride):
                total = 0
                for c, p, q in itertools.product(range(len(image)), range(k), range(k)):
                    if 0 <= top + p < height and 0 <= left + q < width:
                        total += kernel[c][p][q] * image[c][top + p][left + q]
                row.append(total)
            rows.append(row)
        result.append(rows)
    return result


def speedup(channels, filter_size, word=64):
    """(BI-9) S = 64·c·N_W / (c·N_W + 64): how many times fewer operations a binary convolution takes, at best.

    c input channels and filters of N_W places; a word of 64 products counts as one operation, and so does each of the
    scaling's. A count of operations that leaves out all traffic to memory: never a measurement. Rastegari et al. 2016,
    Efficiency Analysis; for c = 256 and 3×3 it gives their 62.27×.

    >>> round(speedup(256, 9), 2)
    62.27
    """
    return word * channels * filter_size / (channels * filter_size + word)


def batch_norm_sign(x, mean, deviation, gamma, beta):
    """The sign of γ·(x − μ)/σ + β, computed as it stands: what BI-10 must equal.

    >>> batch_norm_sign(3, mean=1, deviation=2, gamma=-1, beta=0)
    -1
    """
    return sign(gamma * (x - mean) / deviation + beta)


def threshold_sign(x, mean, deviation, gamma, beta):
    """(BI-10) With τ = μ − β·σ/γ: +1 if x ≥ τ for γ > 0, if x ≤ τ for γ < 0; sign(β) for γ = 0.

    >>> threshold_sign(3, mean=1, deviation=2, gamma=-1, beta=0)
    -1
    """
    if gamma == 0:
        return sign(beta)
    tau = mean - beta * deviation / gamma
    return 1 if (x >= tau if gamma > 0 else x <= tau) else -1
