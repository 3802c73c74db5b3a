"""Networks that are no chain: residual blocks and concatenated branches."""

import numpy as np
import pytest

from minicompress import nn
from minicompress.engine import Tensor


def block(rng):
    return nn.Sequential({
        "conv": nn.Conv2d(2, 4, 3, padding=1, rng=rng),
        "residual": nn.Add({"body": nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4, rng=rng), nn.ReLU()),
                            "shortcut": nn.Identity()}),
        "wide": nn.Concatenate(nn.Conv2d(4, 3, 1, rng=rng), nn.Sequential(nn.ReLU())),
    })


def test_branches_are_summed_and_concatenated():
    rng = np.random.default_rng(0)
    model, x = block(rng), rng.standard_normal((5, 2, 6, 6)).astype(np.float32)
    entry = model.conv(Tensor(x))
    summed = model.residual.body(entry).data + entry.data
    expected = np.concatenate([model.wide[0](Tensor(summed)).data, np.maximum(summed, 0)], axis=1)
    np.testing.assert_array_equal(model(Tensor(x)).data, expected)
    assert expected.shape == (5, 7, 6, 6)


def test_a_gradient_flows_through_every_branch():
    model = block(np.random.default_rng(0))
    model(Tensor(np.ones((2, 2, 6, 6), np.float32))).sum().backward()
    assert all(np.abs(p.grad).sum() > 0 for p in model.parameters())


def test_a_file_holds_the_branches(tmp_path):
    from minicompress import container
    model, x = block(np.random.default_rng(0)), np.ones((2, 2, 6, 6), np.float32)
    container.save(model, tmp_path / "block.mcz")
    loaded = container.load(tmp_path / "block.mcz")
    assert loaded(Tensor(x)).data.tobytes() == model(Tensor(x)).data.tobytes()
    assert nn.describe(loaded) == nn.describe(model)


def test_branches_that_do_not_fit_are_refused():
    x = Tensor(np.ones((2, 4), np.float32))
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"one shape, got \[\(2, 3\), \(2, 4\)\]"):
        nn.Add(nn.Linear(4, 3, rng=rng), nn.Identity())(x)
    with pytest.raises(ValueError, match="Add has no branch"):
        nn.Add()(x)
    with pytest.raises(ValueError, match="Concatenate has no branch"):
        nn.Concatenate()(x)
    with pytest.raises(TypeError, match="expected a Module"):
        nn.Add({"a": 3})
