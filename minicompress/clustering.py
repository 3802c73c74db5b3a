"""One-dimensional k-means (QU-11): replace every number by one of k shared centroids at the least squared error.

`kmeans` is Lloyd's alternation, fast and only locally optimal; `optimal` finds the best clustering there is. In one
dimension clusters are intervals of the sorted numbers, so a clustering is a list of ``edges``: cluster c holds the
distinct values x[edges[c]] ... x[edges[c + 1] - 1], value i standing for ``count[i]`` equal numbers.
"""

import numpy as np

from minicompress import expect


def kmeans(w, k, *, init="linear", rng=None, max_iter=300, tol=0.0):
    """Cluster numbers by Lloyd's algorithm: assign each to the nearest centroid, move each centroid to its mean.

    min Σ_c Σ_{w in cluster c} (w - centroid_c)² (QU-11). A number midway between two centroids goes to the lower one.
    The error never rises from one iteration to the next. An empty cluster is re-seeded at the mean of the upper half of
    the cluster with the largest error, so with k ≥ the number of distinct values and enough iterations nothing is lost;
    textbook Lloyd leaves it empty and can keep a loss.

    Args:
        w: array of any shape, finite. float16, float32 and float64 stay what they are, all else becomes float64.
        k: number of clusters, 1 to 65 536.
        init: starting centroids: "linear", k points evenly from min to max; "density", the
            quantiles (c + ½)/k of the numbers, which spaces the cumulative distribution evenly; "forgy", k of the
            numbers drawn without replacement; or an array of up to k starting centroids, (k,).
        rng: `numpy.random.Generator`, needed for "forgy", else unused.
        max_iter: most iterations, at least 1.
        tol: stop when no centroid moves by more than ``tol * (max - min)``; 0 runs to a fixed point.

    Returns:
        (centroids, codes). centroids: ascending, distinct, in w's dtype, every one of them used; so at most k, and
        fewer if w has fewer distinct values. codes: w's shape, uint8 if k ≤ 256 and else uint16, the index of the
        centroid nearest to each number *after* the centroids were rounded to w's dtype; the lower one at a tie.

    Raises:
        ValueError, TypeError: w empty or not finite; k, init, rng, max_iter or tol not as above.

    Source: Lloyd 1982; Han et al. 2016 (Deep Compression), eq. 2 and section 3.2.

    >>> centroids, codes = kmeans(np.array([[0.0, 0.2], [4.0, 4.4]]), 2)
    >>> centroids, codes.tolist()
    (array([0.1, 4.2]), [[0, 0], [1, 1]])
    """
    w, k, max_iter = _numbers(w), _clusters(k), expect.integer("max_iter", max_iter, 1)
    expect.that(tol >= 0, f"tol is {tol!r}, expected a number ≥ 0")
    x, count, exponent = _distinct(w)
    centroids = np.ldexp(_start(w, k, init, rng), -exponent)
    middle = x[len(x) // 2]  # prefix sums of centred values round less
    mass, moment = _prefix(count), _prefix(count * (x - middle))
    edges = np.array([0] * len(centroids) + [len(x)])
    for _ in range(max_iter):
        # Each iteration looks at the k edges only, never at the n numbers: O(k log n).
        edges[1:-1] = x.searchsorted((centroids[1:] + centroids[:-1]) * 0.5, side="right")
        m, s = mass[edges], moment[edges]
        size, total = m[1:] - m[:-1], s[1:] - s[:-1]
        if size.all():
            moved = middle + total / size
        else:
            moved = np.where(size > 0, middle + total / np.maximum(size, 1), centroids)
            moved = _reseed(x, count, edges, moved)
        shift, centroids = np.abs(moved - centroids).max(), moved
        if shift <= tol * (x[-1] - x[0]):
            break
    return _round(w, k, x, count, exponent, edges)


def optimal(w, k):
    """Cluster numbers at the least squared error possible, by dynamic programming.

    min over all clusterings of Σ_c Σ_{w in cluster c} (w - centroid_c)² (QU-11), to about 1e-12 of itself whatever the
    spread of the numbers; centroids are rounded to w's dtype afterwards. Lossless when k ≥ the number of distinct
    values. For n distinct values time grows about as (n + k)·log n and memory as 16·n·log2(n) bytes.

    A clustering is a path 0 = edges[0] < ... < edges[k] = n whose link (i, j) costs the squared error of the
    values i ... j - 1. The layered programme D_k(j) = min_i D_{k-1}(i) + cost(i, j) needs k layers; but as the least
    error is convex in k, one layer suffices with a price on every link, F(j) = min_i F(i) + cost(i, j) + price, for a
    price at which the cheapest path has k links.

    Args and returns: w, k, centroids and codes as in `kmeans`.

    Raises:
        ValueError, TypeError: w empty or not finite; k not an integer from 1 to 65 536.

    Source: the problem and D_k: Wang and Song 2011 (Ckmeans.1d.dp); a price for the count: Aggarwal, Schieber and
    Tokuyama 1994, for k-means Grønlund et al. 2017, "Fast exact k-means, k-medians and Bregman divergence clustering
    in 1D".

    >>> centroids, codes = optimal(np.array([0.0, 1.0, 10.0]), 2)
    >>> centroids, codes
    (array([ 0.5, 10. ]), array([0, 0, 1], dtype=uint8))
    """
    w, k = _numbers(w), _clusters(k)
    x, count, exponent = _distinct(w)
    if k >= len(x):
        centroids, codes = np.unique(w, return_inverse=True)
        return centroids, codes.reshape(w.shape).astype(_code_dtype(k))
    return _round(w, k, x, count, exponent, _best_edges(x, count, k))


# ---------------------------------------------------------------------------------------------------------------------
# Shared by both: in and out


def _clusters(k):
    return expect.integer("k", k, 1, 65536, TypeError)


def _numbers(w):
    w = np.asarray(w)
    if w.dtype.kind in "biuf" and w.dtype not in (np.float16, np.float32, np.float64):
        w = w.astype(np.float64)
    expect.reals("w", w, finite=True)
    expect.that(w.size, lambda: f"w is empty (shape {w.shape}), expected at least one number")
    return w + w.dtype.type(0)  # −0.0 becomes 0.0: equal numbers are one value, whichever comes first


def _distinct(w):
    """The distinct values as float64 scaled by 2^-exponent into [-1, 1] (squares stay in range), how often each is."""
    x, count = np.unique(w, return_counts=True)
    exponent = np.frexp(np.abs(x[[0, -1]].astype(np.float64)).max())[1]
    return np.ldexp(x.astype(np.float64), -exponent), count.astype(np.float64), exponent


def _prefix(a):
    return np.concatenate([[0.0], np.cumsum(a)])


def _code_dtype(k):
    return np.uint8 if k <= 256 else np.uint16


def _round(w, k, x, count, exponent, edges):
    """Centroids of the clusters between ``edges``, rounded to w's dtype, and the codes of the nearest ones."""
    edges = edges[np.append(True, np.diff(edges) > 0)]  # without the empty clusters
    first = edges[:-1]
    # Deviations from the cluster's first value: the mean of equal values is that value, bit for bit.
    deviation = x - np.repeat(x[first], np.diff(edges))
    mean = x[first] + np.add.reduceat(count * deviation, first) / np.add.reduceat(count, first)
    centroids = np.unique(np.ldexp(mean, exponent).astype(w.dtype))
    codes = np.searchsorted(_boundaries(centroids), w.astype(np.float64), side="left")
    used = np.bincount(codes.ravel(), minlength=len(centroids)) > 0  # rounding may move a tie and empty a cluster
    return centroids[used], np.asarray((np.cumsum(used) - 1)[codes], dtype=_code_dtype(k))


def _boundaries(centroids):
    """For each pair of neighbours the largest float64 that is not nearer to the upper one, exactly."""
    a, b = centroids[:-1].astype(np.float64) / 2, centroids[1:].astype(np.float64) / 2
    middle = a + b
    b_part = middle - a
    error = (a - (middle - b_part)) + (b - b_part)  # a + b = middle + error without rounding (Knuth's two-sum)
    return np.where(error < 0, np.nextafter(middle, -np.inf), middle)


# ---------------------------------------------------------------------------------------------------------------------
# Lloyd


def _start(w, k, init, rng):
    """Ascending starting centroids, float64."""
    name = init if isinstance(init, str) else "array"
    if name == "linear":
        low, high = w.min(), w.max()
        return np.linspace(low / 2, high / 2, k, dtype=np.float64) * 2  # halves, because high - low may overflow
    if name == "density":
        position = ((np.arange(k) + 0.5) * w.size / k).astype(np.intp)
        return np.sort(w, axis=None)[position].astype(np.float64)
    if name == "forgy":
        expect.a(np.random.Generator, "rng", rng, "a numpy.random.Generator for init=\"forgy\"")
        return np.sort(rng.choice(w.ravel(), min(k, w.size), replace=False)).astype(np.float64)
    expect.that(name == "array",
                lambda: f"init is {init!r}, expected \"linear\", \"density\", \"forgy\" or an array of centroids")
    start = np.asarray(init, dtype=np.float64)
    fits = start.ndim == 1 and 1 <= len(start) <= k and np.isfinite(start).all()
    return np.sort(expect.shaped("init", start, f"1 to k = {k} finite centroids in one dimension", fits))


def _reseed(x, count, edges, centroids):
    """Move the centroids of empty clusters to the mean of the upper half of the clusters with the largest errors."""
    size = np.diff(edges)
    empty, several = np.flatnonzero(size == 0), np.flatnonzero(size > 1)  # one value alone cannot be split
    error = np.add.reduceat(count * (x - np.repeat(centroids, size)) ** 2, edges[several])
    for target, c in zip(empty, several[np.argsort(-error, kind="stable")], strict=False):
        upper = slice(edges[c] + size[c] // 2, edges[c + 1])
        centroids[target] = np.average(x[upper], weights=count[upper])
    return np.sort(centroids)


# ---------------------------------------------------------------------------------------------------------------------
# Dynamic programming


def _best_edges(x, count, k):
    """The path of k links with the least cost, 1 ≤ k < n, by a search for the price of a link that makes it cheapest.

    The least cost is convex in the number of links. So every path found bounds the search from one side, and the
    slope of the chord between the two bounds is a price at which either a path between is cheaper than both, or both
    are cheapest, and so are paths of every length between: the bounds are spliced.
    """
    n, cost = len(x), _interval_cost(x, count)

    def total(path, price=0.0):
        return cost(path[:-1], path[1:]).sum() + price * (len(path) - 1)

    # The best density of many centroids is the cube root of the numbers' own (Panter and Dite 1951) ...
    spread = np.cumsum(np.append(0.0, np.cbrt(np.diff(x) ** 2 * count[1:])))
    guess = np.unique(np.append(np.searchsorted(spread, spread[-1] * np.arange(k) / k), n))
    ceiling = 2 * total(guess)  # one link more saves at most what k links cost
    price = ceiling / k  # ... and if the cost falls as 1/k², one link more saves 2/k of it.
    nothing = n * np.finfo(np.float64).tiny  # beside values of about 1
    coarsest, finest = np.array([0, n]), np.arange(n + 1)
    few, many, chord, power = coarsest, finest, False, 3
    while ceiling > nothing:
        path = _cheapest_path(cost, n, price)
        links = len(path) - 1
        if links <= k and total(path) <= nothing:
            return path
        between = len(few) < len(path) < len(many) and total(path, price) < (1 - 1e-12) * total(few, price)
        if links == k or (chord and not between):
            path = path if links == k else _splice(few, many, k)
            if price <= 2 * total(path):
                return path
            # Beside so high a price the costs drown in rounding. What k links cost is never too low a price.
            price, few, many, chord = total(path), path, finest, False
            continue
        few, many = (path, many) if links < k else (few, path)
        chord = few is not coarsest and many is not finest
        if chord:
            price = (total(few) - total(many)) / (len(many) - len(few))
        else:
            price, power = np.clip(price * (links / k) ** power, np.finfo(np.float64).tiny, ceiling), 2 * power
    return guess


def _cheapest_path(cost, n, price):
    """The path from 0 to n that minimises Σ (cost(i, j) + price) over its links.

    F(j) = min_{i<j} F(i) + cost(i, j) + price is computed from left to right, a block of j at once. F is known up to
    ``done``; further on it is at least F(done), so a link that starts there leads to F(done) + price or more. As far
    as links from the known part stay below that, they are the best there are.
    """
    F, previous = np.zeros(n + 1), np.zeros(n + 1, np.intp)
    done, block = 0, 64
    while done < n:
        j = np.arange(done + 1, min(done + block, n) + 1)
        i, value = _best_starts(cost, F, j, previous[done], done)
        value += price
        final = value <= F[done] + price  # true at j = done + 1, because one value alone costs 0
        length = len(j) if final.all() else int(np.argmin(final))
        F[j[:length]], previous[j[:length]] = value[:length], i[:length]
        block = 2 * block if length == len(j) else length + length // 4 + 1
        done += length
    path = [n]
    while path[-1]:
        path.append(previous[path[-1]])
    return np.array(path[::-1])


def _best_starts(cost, F, j, low, high):
    """For each of the ascending ``j`` the i in [low, high] that minimises F(i) + cost(i, j), and that minimum.

    The best i never falls as j rises, because crossing links cost no more than nested ones: for a ≤ b < c ≤ d,
    cost(a, c) + cost(b, d) ≤ cost(a, d) + cost(b, c). So every eighth j bounds the search for those between it and
    the next: rows 8^p, 2·8^p, ... first, then eight times as many within their bounds, and so on.
    """
    rows, radix = len(j), 8
    best = np.empty(rows + 2, np.intp)  # row r is j[r - 1]; rows 0 and rows + 1 are the outer bounds
    best[0], best[rows + 1] = low, high
    value = np.empty(rows)
    step = radix ** max(0, (rows.bit_length() - 1) // 3)
    while step:
        r = np.arange(step, rows + 1, step)
        r = r[r % (radix * step) != 0]
        left = r - r % (radix * step)
        first, last = best[left], best[np.minimum(left + radix * step, rows + 1)]
        # The candidates first ... last of all rows, one after the other.
        width = last - first + 1
        start = np.cumsum(width) - width
        i = np.arange(start[-1] + width[-1]) + np.repeat(first - start, width)
        candidate = F[i] + cost(i, np.repeat(j[r - 1], width))
        value[r - 1] = np.minimum.reduceat(candidate, start)
        hit = np.flatnonzero(candidate == np.repeat(value[r - 1], width))
        best[r] = i[hit[np.searchsorted(hit, start)]]  # the first hit of each row
        step //= radix
    return best[1:-1], value


def _splice(few, many, k):
    """A path of k links from one with at most k and one with at least k, no dearer than they if both are cheapest.

    It follows ``many`` up to a link that lies inside a link of ``few`` and then ``few``: by the inequality in
    `_best_starts`, swapping the ends of nested links costs nothing (Aggarwal, Schieber and Tokuyama 1994, lemma 6).
    """
    ahead = k + 1 - len(few)
    if ahead == 0:
        return few
    i = np.argmax(many[ahead + 1:ahead + len(few)] <= few[1:])
    return np.concatenate([many[:i + ahead + 1], few[i + 1:]])


def _interval_cost(x, count):
    """The function (i, j) -> squared error of the values i ... j - 1 around their mean, for arrays i < j.

    Σ count·(x - p)² - (Σ count·(x - p))² / Σ count for any p; plain prefix sums (p = 0) would cancel when an interval
    is short beside its distance from 0. Here p is one of the interval's own values, so that few bits are lost: on level
    l the positions are cut into blocks of 2^(l + 1), each position holds the sums from itself to its block's middle,
    and p is the last value before the middle. The highest bit in which i and j differ names the level on which a
    middle lies between them (a "disjoint sparse table").
    """
    n = len(x)
    levels = n.bit_length()
    size = 1 << levels
    value, weight = np.full(size, x[-1]), np.zeros(size)  # padded with nothing to whole blocks
    value[:n], weight[:n] = x, count
    sums = np.zeros((levels, size), np.complex128)  # first moment + i·second moment: one look-up fetches both
    row = np.zeros(size, np.intp)  # i ^ j -> where its level starts
    for level in range(levels):
        halves = (-1, 2, 1 << level)  # (blocks, left and right half, positions)
        v = value.reshape(halves)
        deviation = v - v[:, :1, -1:]
        first = weight.reshape(halves) * deviation
        for out, moment in ((sums[level].real, first), (sums[level].imag, first * deviation)):
            out = out.reshape(halves)
            np.cumsum(moment[:, 0, ::-1], axis=1, out=out[:, 0, ::-1])
            np.cumsum(moment[:, 1, :-1], axis=1, out=out[:, 1, 1:])
        row[1 << level:2 << level] = level * size
    sums, mass = sums.ravel(), _prefix(count)

    def cost(i, j):
        level = row[i ^ j]
        s = sums[level + i] + sums[level + j]
        return s.imag - s.real * s.real / (mass[j] - mass[i])

    return cost
