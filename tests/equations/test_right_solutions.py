"""Solutions as learners write them, in loops, NumPy or PyTorch, none of them like the reference: all must pass."""

import heapq
import itertools
import math

import numpy as np
import pytest

from minicompress.checker import check


def magnitude_mask(w, s):
    mask = np.ones_like(w, bool)
    mask[np.argsort(np.abs(w), kind="stable")[:round(s * len(w))]] = False
    return mask


def quantize_in_plain_python(r, s, z, q_min, q_max):
    return [max(q_min, min(q_max, round(x / s + z))) for x in r]


def asymmetric_in_float32(r_min, r_max, bits):
    r_min, r_max, levels = np.float32(min(r_min, 0)), np.float32(max(r_max, 0)), 2**bits - 1
    s = (r_max - r_min) / np.float32(levels) or np.float32(1)
    return s, np.rint(-(2 ** (bits - 1)) - r_min / s)


def huffman(counts):
    lengths, heap = np.zeros(len(counts), int), [(c, i, (i,)) for i, c in enumerate(counts) if c]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    for parent in range(len(heap) - 1):
        (a, _, left), (b, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[list(left + right)] += 1
        heapq.heappush(heap, (a + b, len(counts) + parent, left + right))
    return lengths


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def soft_target_loss(z, v, y, T, alpha):
    hard = -log_softmax(z)[np.arange(len(y)), y].mean()
    return alpha * hard - (1 - alpha) * T * T * (np.exp(log_softmax(v / T)) * log_softmax(z / T)).sum(axis=1).mean()


def multiplier(m):
    fraction, exponent = math.frexp(m)
    m0 = math.floor(fraction * 2**31 + 0.5)
    return (m0 // 2, -exponent - 1) if m0 == 2**31 else (m0, -exponent)


def masked_training(w, gradients, first, mask, lr, momentum, decay):
    w, velocity = w.copy(), np.zeros_like(w)
    for step, gradient in enumerate(gradients):
        velocity = momentum * velocity + gradient + decay * w
        w = w - lr * velocity
        if step >= first:
            w[mask == 0] = 0
    return w


def stochastic(x, rng):
    return [1 if rng.random() < min(max((v + 1) / 2, 0), 1) else -1 for v in x]


def by_rows(add, dtype=np.float64):
    """A sparse product whose rows are added up by a function of their products."""
    def product(data, indices, indptr, x):
        products = data.astype(dtype) * x.astype(dtype)[indices]
        return [add(products[a:b]) for a, b in itertools.pairwise(indptr)]
    return product


def halves(p):
    """From the middle outward, in halves."""
    return halves(p[:len(p) // 2]) + halves(p[len(p) // 2:]) if len(p) > 1 else p.sum()


def smallest_first(p):
    return sum(sorted(p, key=abs))


def by_bincount(data, indices, indptr, x):
    return np.bincount(np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), data * x[indices], len(indptr) - 1)


def by_quantile(error, weights, sparsities):
    """In float32, and each layer's ranks once."""
    errors = np.zeros((len(weights), len(sparsities)), np.float32)
    for i, w in enumerate(weights):
        rank = np.argsort(np.argsort(np.abs(w), kind="stable"))
        for j, s in enumerate(sparsities):
            pruned = np.float32(w) * (rank >= np.rint(s * w.size))
            errors[i, j] = error([pruned if other is w else np.float32(other) for other in weights])
    return errors


def by_big_integers(x, w, b, s1, z1, s2, s3, z3, m0, n):
    q1, q2 = (np.rint(r / s + z).clip(-128, 127).astype(int) for r, s, z in ((x, s1, z1), (w, s2, 0)))
    total = int((q1 - z1) @ q2) + round(b / s1 / s2)
    q = min(max(z3 + ((total * m0 + (1 << 30 + n)) >> 31 + n), -128), 127)
    return np.float32(s3) * np.float32(q - z3), q


def budgets(to_whole):
    return lambda epochs, macs, parameters: (epochs, to_whole(epochs * macs[0] / macs[1]))


def masked_adam(w, gradients, first, mask, lr):
    mean, square = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
        w = w - lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * mean / (np.sqrt(square) + 1e-8 * np.sqrt(1 - 0.999**t))
        w = np.where((mask == 1) | (t <= first), w, 0)
    return w


def lloyd(empty):
    """With what ``empty(w, c)`` makes of the centroid c of an empty cluster."""
    def iterate(w, centroids, iterations):
        for _ in range(iterations):
            codes = np.abs(w[:, None] - centroids).argmin(axis=1)
            centroids = np.array([w[codes == i].mean() if (codes == i).any() else empty(w, c)
                                  for i, c in enumerate(centroids)])
            centroids = np.sort(centroids[~np.isnan(centroids)])
        return centroids, np.abs(w[:, None] - centroids).argmin(axis=1)
    return iterate


def by_intervals(w, mask, k):
    """The best of all ways to cut the sorted survivors."""
    at = np.flatnonzero(mask)[np.argsort(w[mask == 1], kind="stable")]
    ways = [np.split(at, cuts) for m in range(min(k, len(at))) for cuts in itertools.combinations(range(1, len(at)), m)]
    shared = np.zeros_like(w)
    for part in min(ways, key=lambda way: sum(w[part].var() * len(part) for part in way)):
        shared[part] = w[part].mean()
    return shared


def smaller_network(x, gamma, beta, w, b, keep):
    kept = np.flatnonzero(keep)
    columns = (kept[:, None] * x.shape[1] + np.arange(x.shape[1])).ravel()
    return w[:, columns] @ np.maximum(gamma[kept, None] * x[kept] + beta[kept, None], 0).ravel() + b


def weighted_ends(t, s_i, s_f, t_0, n, dt):
    rest = (1 - np.clip((t - t_0) / (n * dt), 0, 1)) ** 3
    return s_i * rest + s_f * (1 - rest)


def schedule_in_float32(t, s_i, s_f, t_0, n, dt):
    u, s_i, s_f = np.float32(min(max((t - t_0) / (n * dt), 0), 1)), np.float32(s_i), np.float32(s_f)
    return float(s_f + (s_i - s_f) * (1 - u) ** 3)


@pytest.mark.parametrize(("id", "function"), [
    ("PR-2", magnitude_mask), ("PR-9", weighted_ends), ("PR-9", schedule_in_float32), ("PR-10", masked_training),
    ("QU-1", quantize_in_plain_python), ("QU-2", asymmetric_in_float32), ("QU-10", multiplier), ("QU-14", huffman),
    ("QU-1:after", lambda r, s, z, low, high: np.clip(np.rint(r / s) + z, low, high)),
    ("KD-2", soft_target_loss), ("PR-16:product", by_bincount), ("PR-16:product", by_rows(math.fsum)),
    ("PR-13", by_quantile), ("QU-9", by_big_integers),
    ("PR-18", budgets(round)), ("PR-18", budgets(lambda e: math.floor(e + 0.5))),
    ("PR-18", budgets(lambda e: math.ceil(e - 0.5))),
    *(("PR-16:product", by_rows(add, dtype)) for dtype in (np.float64, np.float32) for add in (
        np.sum, halves, smallest_first, lambda p: sum(p[::-1]))),
    ("QU-12", lambda g, codes, k: np.bincount(codes.ravel(), g.ravel(), minlength=k)),
    ("PR-4", lambda w, order: np.linalg.norm(w, order, axis=1)), ("BI-2", stochastic),
    ("PR-6:absorb", lambda beta, w, b, keep: b + w[:, keep == 0] @ np.maximum(beta[keep == 0], 0)),
    ("PR-8:flatten", smaller_network), ("PR-10:adam", masked_adam), ("QU-11:pruned", by_intervals),
    *(("QU-11:lloyd", lloyd(empty)) for empty in (lambda w, c: c, lambda w, c: w.max(), lambda w, c: np.nan)),
    ("QU-13:pruned", lambda n, m, b, k, i: n * b / (m * np.log2(k) + m * i + k * b)),
    ("BI-8", lambda a, b, n: n - 2 * bin(a ^ b).count("1")),
    ("BI-10", lambda x, mean, s, gamma, beta: np.where(gamma * (x - mean) / s + beta >= 0, 1, -1)),
])
def test_a_right_solution_passes(id, function):
    result = check(id, function)
    assert result, str(result)


def by_autograd(torch):
    def gradient(z, v, y, T, alpha):
        z, v, y = torch.tensor(z, requires_grad=True), torch.tensor(v), torch.tensor(y)
        soft = torch.nn.functional.cross_entropy(z / T, torch.softmax(v / T, 1))
        (alpha * torch.nn.functional.cross_entropy(z, y) + (1 - alpha) * T**2 * soft).backward()
        return z.grad
    return gradient


def in_single_precision(torch):
    def loss(z, v, y, T, alpha):
        z, v, y = torch.tensor(z, dtype=torch.float32), torch.tensor(v, dtype=torch.float32), torch.tensor(y)
        soft = torch.nn.functional.cross_entropy(z / T, torch.softmax(v / T, 1))
        return (alpha * torch.nn.functional.cross_entropy(z, y) + (1 - alpha) * T**2 * soft).item()
    return loss


@pytest.mark.parametrize(("id", "make"), [
    ("KD-2:gradient", by_autograd), ("KD-2", in_single_precision),
    ("PR-1", lambda torch: lambda x: (x == 0).float().mean()),
    ("PR-9", lambda torch: lambda t, s_i, s_f, t_0, n, dt: s_f + (s_i - s_f) * (
        1 - torch.clip(torch.tensor((t - t_0) / (n * dt)), 0, 1)) ** 3),
    ("QU-1", lambda torch: lambda r, s, z, low, high: torch.clamp(torch.round(r / s + z), low, high)),
    ("QU-12", lambda torch: lambda g, codes, k: torch.zeros(k, dtype=g.dtype).scatter_add(
        0, codes.flatten(), g.flatten())),
    ("BI-5", lambda torch: lambda w: (w.abs().mean(), torch.where(w >= 0, 1, -1))),
])
def test_a_right_solution_in_tensors_passes(id, make):
    result = check(id, make(pytest.importorskip("torch")))
    assert result, str(result)


def test_rows_are_added_up_apart():
    """Shorter, and right for rows of one size."""
    def running_sums(data, indices, indptr, x):
        sums = np.concatenate([[0.0], np.cumsum(data * x[indices])])
        return sums[indptr[1:]] - sums[indptr[:-1]]
    report = check("PR-16:product", running_sums).report
    assert report["property"] == "each row is what the formula gives" and "running sums" in report["trap"]
    for seed in range(20):
        assert not check("PR-16:product", running_sums, seed=seed)


def test_an_end_that_is_reached_but_for_rounding_is_not_reached():
    """0.2 + (0.9 − 0.2) is not 0.9; of eighths it is."""
    def from_the_start(t, s_i, s_f, t_0, n, dt):
        u = min(max((t - t_0) / (n * dt), 0), 1)
        return s_i + (s_f - s_i) * (1 - (1 - u) ** 3)
    report = check("PR-9", from_the_start).report
    assert report["property"] == "the ends are exact" and "the end, t = " in report["message"]
