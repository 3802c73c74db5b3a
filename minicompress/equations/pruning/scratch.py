"""How long a cut network's shape trains from scratch (PR-18)."""

import numpy as np

from minicompress.checker.page import page
from minicompress.checker.paper import Paper
from minicompress.checker.properties import hold

LIU_2019 = Paper("liu2019rethinking", ("Liu, Zhuang", "Sun, Mingjie", "Zhou, Tinghui", "Huang, Gao",
                                       "Darrell, Trevor"),
                 "Rethinking the Value of Network Pruning", 2019, "ICLR", arxiv="1810.05270")

# ---------------------------------------------------------------------------------------------------------------------
# PR-18


def _cut(rng, size):
    """(epochs, MACs, parameters), these of the large network and the small: with convolutions two different ratios."""
    small, few = rng.integers(10, 100, 2).tolist()
    macs = np.array([small * int(rng.integers(1, 9)) + int(rng.integers(9)), small])
    return int(rng.integers(1, 5 * size)), macs, np.array([few * int(rng.integers(2, 9)), few])


def _by_budget(scratch_epochs):
    return lambda epochs, macs, parameters: tuple(scratch_epochs(epochs, *macs.tolist())[name] for name in "EB")


@page("PR-18", cite=LIU_2019("section 3"), latex=r"E = e,\quad B = \mathrm{round}(e \cdot F / f)",
      implementation="minicompress.pruning.scratch_epochs", adapt=_by_budget, inputs=_cut,
      cases=((10, np.array([600, 200]), np.array([900, 100])), (1, np.array([50, 20]), np.array([30, 10])),
             (7, np.array([90, 90]), np.array([30, 10])),
             (90, np.array([4_089_184_256, 2_000_000_000]), np.array([2, 1]))))
def scratch_epochs(epochs, macs, parameters):
    """how long a cut network's shape trains from scratch

    E = e,   B = round(e·F/f)

    epochs : e, of the large network, an integer of at least 1
    macs : F and f, multiply-accumulates for one example, integers, (2,): of the large network, of the small
    parameters : how many the large has, and the small, integers, (2,); the budget is none of these
    scratch_e : E, epochs of Scratch-E: as many as the large network had
    scratch_b : B, epochs of Scratch-B: a whole number, of as many MACs in all; at a half either neighbour

    round : to the nearest whole number

    >>> [scratch_epochs(*cut, [9, 1]) for cut in ((10, [600, 200]), (10, [300, 200]), (1, [500, 200]))]
    [(10, 30), (10, 15), (1, 2)]
    """
    large, small = macs
    budget, spent, scratch_b = epochs * large, 0, 0
    while budget - spent > small / 2:
        spent += small
        scratch_b += 1
    return epochs, scratch_b


@scratch_epochs.must("Scratch-E is as many epochs")
def _same_epochs(f, epochs, macs, parameters):
    hold(f(epochs, macs, parameters)[0] == epochs, f"Scratch-E has the large network's epochs, {epochs}")


@scratch_epochs.must("Scratch-B is as many MACs")
def _same_macs(f, epochs, macs, parameters):
    scratch_b = float(f(epochs, macs, parameters)[1])
    large, small = macs.tolist()
    hold(scratch_b.is_integer(), f"Scratch-B is {scratch_b:g} epochs, expected a whole number")
    hold(2 * abs(scratch_b * small - epochs * large) <= small,
         f"Scratch-B spends {scratch_b:g}·{small} = {scratch_b * small:g} MACs on each example, the large network "
         f"{epochs}·{large} = {epochs * large}: they differ by more than half an epoch")


@scratch_epochs.must("half the MACs are twice the epochs")
def _half_is_twice(f, epochs, macs, parameters):
    found = f(epochs, macs[1] * np.array([2, 1]), parameters)[1]
    hold(found == 2 * epochs, f"at half the MACs Scratch-B is twice the epochs, {2 * epochs}")


def _scratch(budget):
    """(Scratch-E, budget(epochs, macs, parameters))"""
    return lambda epochs, macs, parameters: (epochs, budget(epochs, macs, parameters))


scratch_epochs.trap("swapped", "the two budgets have changed places: E stands for epochs, B for the budget of MACs.",
                    lambda e, macs, parameters: (round(e * macs[0] / macs[1]), e))
scratch_epochs.trap("inverted", "the ratio is inverted: a cheaper network gets more epochs, not fewer.",
                    _scratch(lambda e, macs, parameters: round(e * macs[1] / macs[0])))
scratch_epochs.trap("parameters", "this is the ratio of parameters: the budget is one of MACs.",
                    _scratch(lambda e, macs, parameters: round(e * parameters[0] / parameters[1])))
scratch_epochs.trap("twice", "this doubles the epochs, which is right for a network of half the MACs only.",
                    _scratch(lambda e, macs, parameters: 2 * e))
scratch_epochs.trap("on top", "this adds the budget to the epochs of Scratch-E.",
                    _scratch(lambda e, macs, parameters: e + round(e * macs[0] / macs[1])))
scratch_epochs.trap("ratio rounded", "the ratio is rounded before it is multiplied: that is off by many epochs.",
                    _scratch(lambda e, macs, parameters: e * round(macs[0] / macs[1])))
scratch_epochs.trap("rounded down", "this rounds down: the nearest whole number is asked for.",
                    _scratch(lambda e, macs, parameters: e * int(macs[0]) // int(macs[1])), seen=True)
scratch_epochs.trap("part of an epoch", "this is no whole number of epochs.",
                    _scratch(lambda e, macs, parameters: e * macs[0] / macs[1]))
