"""A network evaluated to the letter, which knows where each channel comes from: what cutting channels is held to.

A network is a list of layers, each a tuple of a kind, a name and its numbers:

    ("dense", name, W, b)                             W[out][in]
    ("conv", name, W, b, stride, padding, groups)     W[out][in/groups][row][column]
    ("norm", name, γ, β, μ, σ², eps)                  of each channel
    ("relu",)  ("max", size, stride)  ("mean", size, stride)  ("flatten",)
    ("add", [network, …])  ("concat", [network, …])

A channel is (origins, map): the set of all (layer name, index) that it came through since it was mixed last, and its
numbers, rows of a map, which has one row and one column behind a flatten. What the input brings is ("", index).
"""


def evaluate(network, channels, gone=(), seen=None):
    """The network's channels, where everything that mixes channels reads zeros for those that are ``gone``.

    channels : of one example, each (origins, map); gone : origins; seen : a list that collects all sets of origins

    >>> image = [({("", 0)}, [[3.0]]), ({("", 1)}, [[5.0]])]
    >>> evaluate([("dense", "fc", [[1.0, 10.0]], [0.5])], image, gone={("", 1)})
    [({('fc', 0)}, [[3.5]])]
    """
    for kind, *rest in network:
        if kind == "add":
            channels = [_added(parts) for parts in
                        zip(*(evaluate(branch, channels, gone, seen) for branch in rest[0]), strict=True)]
        elif kind == "concat":
            channels = [channel for branch in rest[0] for channel in evaluate(branch, channels, gone, seen)]
        elif kind == "flatten":
            channels = [(origins, [[x]]) for origins, image in channels for row in image for x in row]
        elif kind == "relu":
            channels = [(origins, [[max(x, 0.0) for x in row] for row in image]) for origins, image in channels]
        elif kind in ("max", "mean"):
            channels = [(origins, _pooled(kind, image, *rest)) for origins, image in channels]
        elif kind == "norm":
            channels = _normalised(channels, *rest)
        elif kind == "dense":
            channels = _mixed(channels, gone, rest[0], [[[[w]] for w in row] for row in rest[1]], rest[2], 1, 0, 1)
        else:
            channels = _mixed(channels, gone, *rest)
        if seen is not None:
            seen.extend(origins for origins, image in channels)
    return channels


def together(network, channels):
    """Which channels can only be cut together: those of one origin in common, until no two sets share one.

    >>> image = [({("", 0)}, [[1.0]])]
    >>> twice = [("dense", "a", [[1.0]], [0.0])], [("dense", "b", [[1.0]], [0.0])]
    >>> together([("add", twice)], image) == [{("", 0)}, {("a", 0), ("b", 0)}]
    True
    """
    seen = [origins for origins, image in channels]
    evaluate(network, channels, seen=seen)
    groups = []
    for origins in seen:
        apart = [group for group in groups if not group & origins]
        groups = [*apart, set(origins).union(*(group for group in groups if group & origins))]
    return groups


def _added(parts):
    images = [image for origins, image in parts]
    return (set().union(*(origins for origins, image in parts)),
            [[sum(image[i][j] for image in images) for j in range(len(images[0][0]))] for i in range(len(images[0]))])


def _pooled(kind, image, size, stride):
    rows, columns = ((n - size) // stride + 1 for n in (len(image), len(image[0])))

    def window(i, j):
        return [image[i * stride + a][j * stride + b] for a in range(size) for b in range(size)]
    return [[max(window(i, j)) if kind == "max" else sum(window(i, j)) / size**2 for j in range(columns)]
            for i in range(rows)]


def _normalised(channels, name, gamma, beta, mean, variance, eps):
    return [(origins | {(name, c)},
             [[gamma[c] * (x - mean[c]) / (variance[c] + eps) ** 0.5 + beta[c] for x in row] for row in image])
            for c, (origins, image) in enumerate(channels)]


def _mixed(channels, gone, name, weight, bias, stride, padding, groups):
    made, read, depthwise = [], len(channels) // groups, 1 < groups == len(channels)
    for f, filters in enumerate(weight):
        g = f // (len(weight) // groups)
        total = None
        for (origins, image), w in zip(channels[g * read:(g + 1) * read], filters, strict=True):
            if not depthwise and origins & set(gone):
                image = [[0.0] * len(row) for row in image]
            part = _correlated(image, w, stride, padding)
            total = part if total is None else _added([(set(), total), (set(), part)])[1]
        total = [[x + bias[f] for x in row] for row in total]
        made.append(((channels[g][0] if depthwise else set()) | {(name, f)}, total))
    return made


def _correlated(image, w, stride, padding):
    k, height, width = len(w), len(image), len(image[0])

    def pixel(i, j):
        return image[i][j] if 0 <= i < height and 0 <= j < width else 0.0
    rows, columns = ((n + 2 * padding - k) // stride + 1 for n in (height, width))
    return [[sum(w[a][b] * pixel(i * stride + a - padding, j * stride + b - padding)
                 for a in range(k) for b in range(k)) for j in range(columns)] for i in range(rows)]
