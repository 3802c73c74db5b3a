"""A function under test: what its answers become, and which changes of its inputs are seen."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from minicompress.checker.call import Misfit, Subject, fingerprint


def test_decimals_and_fractions_are_read_in_full():
    assert Subject(lambda: [Decimal("0.1"), Fraction(1, 3)], ("p",))().tolist() == [0.1, 1 / 3]


@pytest.mark.parametrize("number", [1j, np.complex64(1), np.zeros(2, complex)], ids=str)
def test_complex_numbers_are_no_answer(number):
    with pytest.raises(Misfit, match="expected real numbers") as error:
        Subject(lambda: number, ("p",))()
    assert error.value.kind == "type"


def test_a_change_of_bits_of_the_shape_or_of_the_dtype_is_seen():
    zeros = np.zeros(4)
    for other in (np.array([0.0, 0, 0, -0.0]), zeros.reshape(2, 2), zeros.view(np.int64)):
        assert fingerprint(other) != fingerprint(zeros)
    assert fingerprint(zeros.copy()) == fingerprint(zeros)


def reshaped(x):
    x.resize((2, 2), refcheck=False)
    return 0.5


def test_an_input_of_another_shape_is_a_change_in_place():
    with pytest.raises(Misfit, match="in place"):
        Subject(reshaped, ("p",))(np.zeros(4))


def test_a_tensor_changed_in_place_is_seen():
    torch = pytest.importorskip("torch")
    with pytest.raises(Misfit, match="in place"):
        Subject(lambda x: x.add_(1).sum(), ("p",), offer=torch.from_numpy)(np.zeros(4))
    assert Subject(lambda x: x.add(1).sum(), ("p",), offer=torch.from_numpy)(np.zeros(4)) == 4
