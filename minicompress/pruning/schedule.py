"""How sparsity grows during training."""

import numpy as np

from minicompress import expect


def gradual_sparsity(step, *, initial=0.0, final, begin, end, every=1):
    """s_t = s_f + (s_i − s_f)·(1 − u)³ with u = clip((t − t₀)/(t₁ − t₀), 0, 1): fast at first, then ever slower (PR-9).

    t = step counts from t₀ = begin in whole multiples of ``every``; exactly s_i = initial before ``begin`` and exactly
    s_f = final from t₁ = end on, so n·Δt of the paper is end − begin. ``step`` is a number or an array. Raises
    ValueError for sparsities outside [0, 1] and for end ≤ begin. Source: Zhu & Gupta 2017, eq. 1.

    >>> [round(float(gradual_sparsity(t, final=0.8, begin=0, end=10)), 3) for t in (0, 5, 10, 99)]
    [0.0, 0.7, 0.8, 0.8]
    """
    initial, final = expect.fraction("initial", initial), expect.fraction("final", final)
    expect.that(begin < end and every > 0, f"begin is {begin}, end {end}, every {every}, expected begin < end, "
                "every > 0")
    step = np.asarray(step, np.float64)
    passed = np.where(step >= end, end - begin, np.floor((step - begin) / every) * every)
    u = np.clip(passed / (end - begin), 0.0, 1.0)
    value = np.where(u <= 0, initial, final + (initial - final) * (1 - u) ** 3)  # at u = 1 exactly final, at 0 not so
    return value if value.ndim else float(value)
