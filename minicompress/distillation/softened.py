"""The softmax at a temperature: the higher, the flatter (Hinton, Vinyals & Dean 2015)."""

from minicompress import expect
from minicompress.engine import Tensor, log_softmax, softmax

COLDEST, HOTTEST = 1e-6, 1e9  # within these nothing overflows for logits up to 10^4, even in float32


def softened(logits, temperature):
    """The softmax at a temperature, p_i = exp(z_i/T) / Σ_j exp(z_j/T), of each row (KD-1).

    A higher T gives a flatter distribution over the classes, T = 1 is the softmax. ``logits`` is a Tensor (N, C), and
    so is the result, through which gradients flow. Raises ValueError unless T is a number from 10^−6 to 10^9, TypeError
    for anything but a Tensor. Source: Hinton et al. 2015, equation 1.

    >>> softened(Tensor([[0.0, 2.0]]), temperature=1.0).numpy().round(2)
    array([[0.12, 0.88]], dtype=float32)
    >>> softened(Tensor([[0.0, 2.0]]), temperature=20.0).numpy().round(2)
    array([[0.48, 0.52]], dtype=float32)
    """
    return softmax(cooled(logits, temperature))


def log_softened(logits, temperature):
    """log p of `softened`, finite where p itself underflows to 0 (KD-1).

    >>> log_softened(Tensor([[0.0, 2000.0]]), temperature=1.0).numpy()
    array([[-2000.,     0.]], dtype=float32)
    """
    return log_softmax(cooled(logits, temperature))


def cooled(logits, temperature):
    """(z − max z)/T, which has z/T's softmax: the largest is 0 before anything is divided, so nothing overflows."""
    expect.a(Tensor, "logits", logits, "a Tensor (N, C)")
    expect.shaped("logits", logits, "(N, C)", logits.ndim == 2 and 0 not in logits.shape)
    return (logits - logits.data.max(axis=1, keepdims=True)) / require_temperature(temperature)


def require_temperature(temperature):
    """The temperature as a float; ValueError unless it is a number from `COLDEST` to `HOTTEST`."""
    return expect.number("temperature", temperature, COLDEST, HOTTEST, kind=ValueError)
