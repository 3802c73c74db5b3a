"""Pruning, to the letter, on lists of plain numbers: sparsity, magnitude masks, the gradual schedule, a masked step."""

import math


def sparsity(values):
    """(PR-1) The share of zeros, a fraction in [0, 1].

    >>> sparsity([0, 3, 0, -1])
    0.5
    """
    zeros = 0
    for value in values:
        if value == 0:
            zeros += 1
    return zeros / len(values)


def threshold_mask(weights, threshold):
    """(PR-2) m = 1[abs(w) > t]. Han et al. 2015.

    >>> threshold_mask([1, -3, 2], 2)
    [0, 1, 0]
    """
    return [1 if abs(w) > threshold else 0 for w in weights]


def generated_threshold(weights, q):
    """(PR-2) t = q·std(w), the deviation of all n weights. Han et al. 2015, section 3.

    >>> generated_threshold([1, -1, 1, -1], 2)
    2.0
    """
    mean = math.fsum(weights) / len(weights)
    return q * math.sqrt(math.fsum((w - mean) ** 2 for w in weights) / len(weights))


def magnitude_mask(weights, sparsity):
    """(PR-2) The round(s·n) smallest magnitudes get 0, the rest 1; of equal ones the earlier goes first.

    >>> magnitude_mask([2, -1, 1, 3], 0.25)
    [1, 0, 1, 1]
    """
    order = sorted(range(len(weights)), key=lambda i: (abs(weights[i]), i))
    mask = [1] * len(weights)
    for i in order[:round(sparsity * len(weights))]:
        mask[i] = 0
    return mask


def global_magnitude_masks(layers, sparsity):
    """(PR-2) The same over a whole network: layers is a list of lists, ranked as if they were one.

    >>> global_magnitude_masks([[1, 4], [2, 3]], 0.5)
    [[0, 1], [0, 1]]
    """
    mask = magnitude_mask([w for layer in layers for w in layer], sparsity)
    masks = []
    for layer in layers:
        masks.append(mask[:len(layer)])
        mask = mask[len(layer):]
    return masks


def gradual_sparsity(t, s_i, s_f, t_0, n, delta_t):
    """(PR-9) s_t = s_f + (s_i - s_f)·(1 - u)³, u = (t - t_0)/(n·Δt) held within 0 … 1. Zhu & Gupta 2017, eq. 1.

    >>> [gradual_sparsity(t, 0.0, 0.5, 0, 2, 1) for t in (-1, 0, 1, 2, 3)]
    [0.0, 0.0, 0.4375, 0.5, 0.5]
    """
    u = (t - t_0) / (n * delta_t)
    if u < 0:
        u = 0
    if u > 1:
        u = 1
    return s_f + (s_i - s_f) * (1 - u) ** 3


def masked_sgd_step(weights, gradients, velocities, mask, lr, momentum, weight_decay):
    """(PR-10) w ← m ⊙ (w - η·v) with v ← μ·v + g + λ·w; the product is a selection, so that 0·NaN is 0 and never -0.

    Returns the new (weights, velocities).

    >>> masked_sgd_step([1.0, 2.0], [0.5, 0.5], [0.0, 4.0], [1, 0], lr=1.0, momentum=0.5, weight_decay=0.0)
    ([0.5, 0.0], [0.5, 2.5])
    """
    new_weights, new_velocities = [], []
    for w, g, v, m in zip(weights, gradients, velocities, mask, strict=True):
        v = momentum * v + g + weight_decay * w
        new_velocities.append(v)
        new_weights.append(w - lr * v if m else 0.0)
    return new_weights, new_velocities


def masked_adam_step(weights, gradients, means, squares, mask, lr, t):
    """(PR-10) w ← m ⊙ (w - η·m̂/(√v̂ + ε)), step t from 1, β₁ = 0.9, β₂ = 0.999, ε = 1e-8; the product selects.

    Returns the new (weights, means, squares). Kingma & Ba 2015, algorithm 1.

    >>> new_weights, *_ = masked_adam_step([1.0, 2.0], [0.5, 0.5], [0.0, 0.0], [0.0, 0.0], [1, 0], lr=0.5, t=1)
    >>> [round(w, 6) for w in new_weights]
    [0.5, 0.0]
    """
    new_weights, new_means, new_squares = [], [], []
    for w, g, m, v, kept in zip(weights, gradients, means, squares, mask, strict=True):
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g ** 2
        new_means.append(m)
        new_squares.append(v)
        step = m / (1 - 0.9 ** t) / ((v / (1 - 0.999 ** t)) ** 0.5 + 1e-8)
        new_weights.append(w - lr * step if kept else 0.0)
    return new_weights, new_means, new_squares


def sensitivity(error, layers, sparsities):
    """(PR-13) error(layer, sparsity) with all other layers dense, [layer][level]. Han et al. 2015, section 4.

    layers is a list of lists; error takes such a list, one layer of which is pruned by magnitude.

    >>> sensitivity(lambda layers: sum(map(sum, layers)), [[1, 2], [3]], [0.0, 0.5, 1.0])
    [[6, 5, 3], [6, 6, 3]]
    """
    errors = []
    for i, layer in enumerate(layers):
        errors.append([])
        for s in sparsities:
            pruned = [w if m else 0 for w, m in zip(layer, magnitude_mask(layer, s), strict=True)]
            errors[i].append(error([*layers[:i], pruned, *layers[i + 1:]]))
    return errors


def scratch_epochs(epochs, large_macs, small_macs):
    """(PR-18) Epochs of a cut network's shape from scratch: (Scratch-E, Scratch-B). Liu et al. 2019, section 3.

    Scratch-E: as many as the large network had. Scratch-B: as many, the nearest whole number, as take the same MACs.

    >>> scratch_epochs(10, 600, 200), scratch_epochs(10, 300, 200), scratch_epochs(1, 500, 200)
    ((10, 30), (10, 15), (1, 2))
    """
    budget, spent, scratch_b = epochs * large_macs, 0, 0
    while budget - spent > small_macs / 2:
        spent += small_macs
        scratch_b += 1
    return epochs, scratch_b


def csr_product(data, indices, indptr, x):
    """(PR-16) y_i = Σ data_k · x[indices_k], k from indptr_i to indptr_{i+1} - 1.

    >>> csr_product([5, 7, 8], [1, 0, 2], [0, 1, 1, 3], [1, 10, 100])
    [50, 0, 807]
    """
    y = []
    for i in range(len(indptr) - 1):
        total = 0
        for k in range(indptr[i], indptr[i + 1]):
            total += data[k] * x[indices[k]]
        y.append(total)
    return y
