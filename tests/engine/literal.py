"""The engine's and the optimizers' definitions, to the letter: plain loops over nested lists of Python floats.

Where `equations.md` gives a definition no ID, the docstring names its source instead.
"""

import math


def linear(x, weight, bias):
    """y[n][o] = bias[o] + Σ_i x[n][i]·weight[o][i].

    >>> linear([[1.0, 2.0]], [[3.0, 4.0]], [0.5])
    [[11.5]]
    """
    return [[bias[o] + sum(x[n][i] * weight[o][i] for i in range(len(x[n]))) for o in range(len(weight))]
            for n in range(len(x))]


def conv2d(x, weight, bias, stride=1, padding=0, groups=1):
    """Cross-correlation of images x with filters, the channels in groups, zeros around the image.

    y[n][f][i][j] = bias[f] + Σ_{c,p,q} weight[f][c][p][q] · x[n][group's first channel + c][s·i + p − P][s·j + q − P].

    >>> conv2d([[[[1.0, 2.0], [3.0, 4.0]]]], [[[[1.0, 0.0], [0.0, 10.0]]]], [0.5])
    [[[[41.5]]]]
    """
    height, width, k = len(x[0][0]), len(x[0][0][0]), len(weight[0][0])
    filters_per_group, channels_per_group = len(weight) // groups, len(x[0]) // groups
    out_height, out_width = ((size + 2 * padding - k) // stride + 1 for size in (height, width))
    y = []
    for image in x:
        maps = []
        for f in range(len(weight)):
            first = f // filters_per_group * channels_per_group
            rows = []
            for i in range(out_height):
                row = []
                for j in range(out_width):
                    total = bias[f]
                    for c in range(channels_per_group):
                        for p in range(k):
                            for q in range(k):
                                u, v = stride * i + p - padding, stride * j + q - padding
                                inside = 0 <= u < height and 0 <= v < width
                                total += weight[f][c][p][q] * (image[first + c][u][v] if inside else 0.0)
                    row.append(total)
                rows.append(row)
            maps.append(rows)
        y.append(maps)
    return y


def pool2d(x, kernel, stride, reduce):
    """``reduce`` (max, or the mean) of each window's list of kernel² elements; rows that fill no window are dropped.

    >>> pool2d([[[[1.0, 2.0, 9.0], [3.0, 4.0, 9.0]]]], 2, 2, max)
    [[[[4.0]]]]
    """
    return [[[[reduce([channel[stride * i + p][stride * j + q] for p in range(kernel) for q in range(kernel)])
               for j in range((len(channel[0]) - kernel) // stride + 1)]
              for i in range((len(channel) - kernel) // stride + 1)]
             for channel in image] for image in x]


def softmax(z):
    """(KD-1, T = 1) p_i = exp(z_i) / Σ_j exp(z_j), for numbers small enough for exp.

    >>> softmax([0.0, 0.0])
    [0.5, 0.5]
    """
    total = sum(math.exp(value) for value in z)
    return [math.exp(value) / total for value in z]


def cross_entropy(logits, target):
    """The mean over rows of −Σ_c p_c·log softmax(z)_c; a target is a class, or a row p of probabilities.

    >>> round(cross_entropy([[0.0, 0.0]], [1]), 6)
    0.693147
    """
    total = 0.0
    for z, p in zip(logits, target, strict=True):
        p = [float(c == p) for c in range(len(z))] if isinstance(p, int) else p
        total -= sum(share * math.log(q) for share, q in zip(p, softmax(z), strict=True))
    return total / len(logits)


def batch_norm(x, weight, bias, eps):
    """(y, means, variances) of rows x[n][c]: y = weight·(x − mean)/√(variance + eps) + bias, variance with 1/n.

    Source: Ioffe and Szegedy 2015, algorithm 1.

    >>> batch_norm([[1.0], [3.0]], [2.0], [0.5], 0.0)
    ([[-1.5], [2.5]], [2.0], [1.0])
    """
    n, channels = len(x), range(len(x[0]))
    means = [sum(row[c] for row in x) / n for c in channels]
    variances = [sum((row[c] - means[c]) ** 2 for row in x) / n for c in channels]
    y = [[weight[c] * (row[c] - means[c]) / math.sqrt(variances[c] + eps) + bias[c] for c in channels] for row in x]
    return y, means, variances


def sgd(w, gradients, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    """The weight after each of the gradients, by PyTorch's SGD without dampening.

    >>> sgd(1.0, [1.0, 1.0], lr=0.5, momentum=0.5)
    [0.5, -0.25]
    """
    path, velocity = [], 0.0
    for g in gradients:
        g = g + weight_decay * w
        velocity = momentum * velocity + g
        w = w - lr * (g + momentum * velocity if nesterov else velocity)
        path.append(w)
    return path


def adam(w, gradients, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    """The weight after each of the gradients. Source: Kingma and Ba 2015, algorithm 1.

    >>> [round(w, 6) for w in adam(1.0, [2.0, 2.0], lr=0.25)]
    [0.75, 0.5]
    """
    path, m, v = [], 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        g = g + weight_decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        w = w - lr * m_hat / (math.sqrt(v_hat) + eps)
        path.append(w)
    return path
