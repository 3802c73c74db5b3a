"""The temperatures that are refused, by whoever takes one; the laws are in tests/laws."""

import re

import numpy as np
import pytest

from minicompress import distillation
from minicompress.engine import Tensor
from minicompress.equations.distillation.softened import softened

Z, V, Y = np.array([[1.0, -2.0, 0.5]], np.float32), np.array([[2.0, 0.0, -4.0]], np.float32), np.array([2])


@pytest.mark.parametrize("temperature", [0, -1.0, np.inf, np.nan, True, None, "2", 9e-7, 1.1e9, 1e300, 10**400,
                                         np.float32(1e20)])
def test_a_temperature_that_is_none_is_refused(temperature):
    for call in (lambda: distillation.softened(Tensor(Z), temperature),
                 lambda: distillation.log_softened(Tensor(Z), temperature),
                 lambda: distillation.soft_targets(V, temperature=temperature),
                 lambda: distillation.soft_target_loss(Tensor(Z), V, Y, temperature=temperature, alpha=1.0),
                 lambda: distillation.lambda_loss(Tensor(Z), V, Y, temperature=temperature, weight=0.5)):
        number = isinstance(temperature, int | float | np.floating) and not isinstance(temperature, bool)
        bounds = " from 1e-06 to 1000000000.0" if number else ""
        words = re.escape(f"temperature is {temperature!r}, expected a number{bounds}")
        with pytest.raises(ValueError, match=f"^{words}$"):
            call()


def test_gradients_flow_through_softened():
    """∂p_i/∂z_j = p_i(δ_ij − p_j)/T, so that other losses can be built on it."""
    z = Tensor(Z.astype(float), requires_grad=True)
    distillation.softened(z, 2.0)[0, 1].backward()
    p = softened(Z[0].tolist(), 2.0)
    assert z.grad[0].tolist() == pytest.approx([p[1] * ((j == 1) - p[j]) / 2.0 for j in range(3)])
