"""Which channels say nearly nothing: the average percentage of zeros behind the ReLU (PR-7)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close, hold

HU_2016 = Paper("hu2016network", ("Hu, Hengyuan", "Peng, Rui", "Tai, Yu-Wing", "Tang, Chi-Keung"),
                "Network Trimming: A Data-Driven Neuron Pruning Approach towards Efficient Deep Architectures", 2016,
                "arXiv", arxiv="1607.03250")

# ---------------------------------------------------------------------------------------------------------------------
# PR-7


def _batches(rng, size):
    """Two batches, the second mostly smaller; of ties with 0 many, or of one sign alone."""
    channels, positions = one_of(rng, size + 1, 2, 1), one_of(rng, 1, 2, size)
    a, b = (eighths(rng, (count, channels, positions), one_of(rng, 1, 5)) * (rng.random((count, channels, positions))
            < 0.8) for count in (size + 1, int(rng.integers(1, size + 1))))
    return one_of(rng, (a, b), (a, b), (a, b), (-np.abs(a), np.abs(b)))


def _behind_relus(apoz):
    return lambda a, b: apoz([np.maximum(a, 0), np.maximum(b, 0)])


@page("PR-7", cite=HU_2016("eq. 1"), latex=r"s_c = \frac{1}{N M} \sum_n \sum_m [\max(x_{ncm}, 0) = 0]",
      implementation="minicompress.pruning.apoz", adapt=_behind_relus, inputs=_batches,
      cases=((np.array([[[0.0]], [[-1.0]], [[-2.0]], [[1.0]]]), np.array([[[1.0]]])),))
def apoz(a, b):
    """average percentage of zeros

    s_c = 1/(N·M)·Σ_n Σ_m [max(x_ncm, 0) = 0]

    a : what the ReLU reads of one batch, (examples, channels, positions)
    b : what it reads of the next, which may be shorter, (examples, channels, positions)
    s : the share of zeros that it gives, fractions in [0, 1], (channels,)

    x : the examples of both batches, (N, channels, M)
    n : an index of each example, an integer
    c : an index of each channel, an integer
    m : an index of each position, an integer
    N : number of examples in both
    M : number of positions, 1 for a dense layer
    [·] : 1 where it holds, 0 elsewhere

    >>> apoz([[[0], [2]], [[-1], [3]]], [[[5], [0]]])
    [0.6666666666666666, 0.3333333333333333]
    """
    shares = []
    for c in range(len(a[0])):
        zeros = elements = 0
        for example in [*a, *b]:
            for x in example[c]:
                zeros += max(x, 0) == 0
                elements += 1
        shares.append(zeros / elements)
    return shares


@apoz.must("is a fraction")
def _fraction(f, a, b):
    hold((f(a, b) >= 0) & (f(a, b) <= 1), "a share of zeros is a fraction in [0, 1]")


@apoz.must("a dead channel has 1, a busy one 0")
def _dead(f, a, b):
    hold(f(-np.abs(a), -np.abs(b)) == 1, "a channel that the ReLU never lets pass must have 1")
    hold(f(1 + np.abs(a), 1 + np.abs(b)) == 0, "a channel that is never 0 must have 0")


@apoz.must("ignores positive factors")
def _factors(f, a, b):
    close(f, f(4 * a, 4 * b), f(a, b), "4 times as large is as often 0", 0)


@apoz.must("examples count alike, in whichever batch")
def _merge(f, a, b):
    close(f, f(b, a), f(a, b), "exchanging the batches must change nothing", 4)
    if len(a) > 1:
        close(f, f(a[:1], np.concatenate([a[1:], b])), f(a, b), "cutting the batches elsewhere must change nothing", 4)


@apoz.must("channels are apart")
def _permutes(f, a, b):
    close(f, f(a[:, ::-1], b[:, ::-1]), f(a, b)[::-1], "exchanging channels must exchange their shares", 0)


def _both(count):
    return lambda a, b: count(np.concatenate([a, b]))


apoz.must_agree(4)
apoz.trap("mean of batch means", "this is the mean of the batches' shares: the examples of a short batch count more.",
          lambda a, b: ((a <= 0).mean(axis=(0, 2)) + (b <= 0).mean(axis=(0, 2))) / 2)
apoz.trap("before the ReLU", "this counts zeros in front of the ReLU, where next to nothing is exactly 0.",
          _both(lambda x: (x == 0).mean(axis=(0, 2))))
apoz.trap("negative alone", "0 itself is left out: the ReLU of 0 is 0.", _both(lambda x: (x < 0).mean(axis=(0, 2))))
apoz.trap("positive share", "this is the share of what passes: asked for is that of zeros.",
          _both(lambda x: (x > 0).mean(axis=(0, 2))))
apoz.trap("last batch", "only the last batch is counted.", lambda a, b: (b <= 0).mean(axis=(0, 2)))
apoz.trap("positions forgotten", "this looks at the first position alone.",
          _both(lambda x: (x[:, :, 0] <= 0).mean(axis=0)))
apoz.trap("percent", "these are percent: expected are fractions.", _both(lambda x: 100 * (x <= 0).mean(axis=(0, 2))))
apoz.trap("counts", "these are numbers of zeros: divide by that of elements.",
          _both(lambda x: (x <= 0).sum(axis=(0, 2))))
apoz.trap("dead examples", "this counts examples without any activation: each position counts by itself.",
          _both(lambda x: (x <= 0).all(axis=2).mean(axis=0)))
apoz.trap("one share", "this is one share of all channels together.",
          _both(lambda x: np.full(x.shape[1], (x <= 0).mean())))
apoz.trap("first channel", "this is the share of the first channel, for all.",
          _both(lambda x: np.full(x.shape[1], (x[:, 0] <= 0).mean())))
apoz.trap("nearly 0", "small activations are counted as zeros: what is small depends on the units.",
          _both(lambda x: (x < 0.5).mean(axis=(0, 2))))
