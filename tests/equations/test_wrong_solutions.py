"""Solutions that are right on the easiest inputs alone: none may pass."""

import pytest

from minicompress import equations
from minicompress.equations import check


def reference(id, **fixed):
    """The formula itself with some of its arguments hard-wired."""
    entry = equations.equation(id)

    def function(*inputs):
        return entry.reference(*(dict(zip(entry.arguments, inputs, strict=True)) | fixed).values())
    return function


MEMORISED = [
    *(("PR-10", {name: value}) for name, value in (("lr", 0.25), ("momentum", 0.5), ("first", 1))),
    *((id, {"classes": k}) for id in ("ME-1", "ME-1:confusion", "ME-1:macro-f1") for k in (4, 6)),
    ("QU-12", {"k": 4}), ("QU-10:layer", {"q_min": -128}), ("QU-10:layer", {"q_max": 127}),
]


@pytest.mark.parametrize(("id", "fixed"), MEMORISED, ids=lambda value: str(value))
def test_a_memorised_constant_fails(id, fixed):
    assert check(id, reference(id))
    assert not check(id, reference(id, **fixed))
