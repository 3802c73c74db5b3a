"""Network slimming (PR-6): a penalty that takes the scales of batch norm to 0."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, resolve, tensor
from minicompress.checker.paper import Convention, Paper
from minicompress.checker.properties import close, hold

LIU_2017 = Paper("liu2017slimming", ("Liu, Zhuang", "Li, Jianguo", "Shen, Zhiqiang", "Huang, Gao", "Yan, Shoumeng",
                                     "Zhang, Changshui"),
                 "Learning Efficient Convolutional Networks through Network Slimming", 2017, "ICCV", arxiv="1708.06519")


def slimming_loss(loss, gammas, strength):
    """L + λ·Σ_c |γ_c|.

    >>> slimming_loss(1.0, [2.0, -3.0], 0.5)
    3.5
    """
    for gamma in gammas:
        loss += strength * abs(gamma)
    return loss


# ---------------------------------------------------------------------------------------------------------------------
# PR-6

def _slimmed(slimming):
    def function(gamma, strength):
        norm = resolve("minicompress.nn.BatchNorm1d")(gamma.size)
        norm.weight.set(gamma)
        slimming(strength, objective=lambda model, batch: tensor(np.float32(0)))(norm, None).backward()
        return norm.weight.grad
    return function


def _scales(rng, size):
    gamma = eighths(rng, size, 1)
    return one_of(rng, gamma, gamma, gamma, -np.abs(gamma), np.full(size, gamma[0])), one_of(rng, 0.0, 0.125, 0.5, 2.0)


@page("PR-6", cite=(LIU_2017("eq. 1"), Convention("the sub-gradient at 0 is 0")),
      latex=r"g_c = \frac{\partial}{\partial \gamma_c} \lambda \sum_j |\gamma_j| = \lambda \cdot "
            r"\mathrm{sign}(\gamma_c),\quad \mathrm{sign}(0) = 0",
      implementation="minicompress.pruning.slimming.slimming", adapt=_slimmed, single=True, inputs=_scales,
      cases=((np.array([0.0, -0.5]), 0.5), (np.array([-0.0, 1e-6, -1e6]), 0.5)))
def slimming_subgradient(gamma, strength):
    """sub-gradient of network slimming

    g_c = ∂/∂γ_c λ·Σ_j |γ_j| = λ·sign(γ_c),   sign(0) = 0

    gamma : γ, scales of a batch norm, (channels,)
    strength : λ, a number of at least 0
    g : what the penalty adds to the loss's gradient with respect to γ, (channels,)

    sign : of a number, −1, 0 or 1

    >>> slimming_subgradient([-2.0, 0.0, 2.0], 0.5)
    [-0.5, 0.0, 0.5]
    """
    return [strength * ((gamma_c > 0) - (gamma_c < 0)) for gamma_c in gamma]


@slimming_subgradient.must("rests at 0")
def _rests_at_zero(f, gamma, strength):
    hold(f(np.zeros_like(gamma), strength) == 0, "at γ = 0 it is 0: what is zero stays zero")


@slimming_subgradient.must("has one size")
def _one_size(f, gamma, strength):
    close(f, np.abs(f(gamma, strength)[gamma != 0]), np.full(np.count_nonzero(gamma), strength),
          "it has the size λ wherever γ is not 0, however small γ is", 16)


slimming_subgradient.must_agree(16)
slimming_subgradient.trap("weight decay", "this is weight decay, λ·γ: it fades as γ shrinks, and reaches 0 never.",
                          lambda gamma, strength: strength * gamma)
slimming_subgradient.trap("sign of 0", "at 0 it is λ: then γ never rests.",
                          lambda gamma, strength: np.where(gamma >= 0, 1, -1) * strength)
slimming_subgradient.trap("λ forgotten", "λ is forgotten.", lambda gamma, strength: np.sign(gamma))
slimming_subgradient.trap("uphill", "the sign is turned: the penalty must pull towards 0.",
                          lambda gamma, strength: -strength * np.sign(gamma))
slimming_subgradient.trap("mean", "this is divided by the number of channels: the penalty is a sum over them.",
                          lambda gamma, strength: strength * np.sign(gamma) / gamma.size)
slimming_subgradient.trap("the penalty", "this is the penalty λ·|γ|: asked for is its slope.",
                          lambda gamma, strength: strength * np.abs(gamma))
