"""Linear quantization: its staircase, what each bit is worth, and what a scale for each channel is worth."""

import math

import numpy as np

from minicompress import expect
from minicompress.quantization import choose_params, code_range, dequantize, quantize

from .sheet import ACCENT, INK, SHADE, sheet

DB_PER_BIT = 20 * math.log10(2)


def staircase(r_min, r_max, bits=3, *, symmetric=False):
    """r̂ against r over a little more than a range, and below it the error r̂ − r with its bound s/2; returns a `Figure`.

    r_min, r_max, bits, symmetric : as for `quantization.choose_params`

    >>> staircase(-1.0, 3.0).axes[1].get_ylabel()
    'r̂ − r'
    """
    scale, zero_point = choose_params(r_min, r_max, bits, symmetric=symmetric)
    low, high = min(r_min, 0), max(r_max, 0)
    ends = (-max(-low, high), max(-low, high)) if symmetric else (low, high)
    margin = 0.12 * (ends[1] - ends[0])
    r = np.linspace(ends[0] - margin, ends[1] + margin, 2001)
    r_hat = dequantize(quantize(r, scale, zero_point, *code_range(bits)), scale, zero_point)
    figure, ((top,), (bottom,)) = sheet(6, 5, rows=2, sharex=True, height_ratios=(2.2, 1))
    top.plot(r, r, color=SHADE, linewidth=1)
    top.plot(r, r_hat, color=ACCENT, linewidth=1.5)
    top.plot(0, 0, "o", color=INK, markersize=5)
    top.annotate("0 is exact", (0, 0), (8, -14), textcoords="offset points", fontsize=9)
    kind = "symmetric" if symmetric else "asymmetric"
    top.set_title(f"{bits} bits, {kind}: s = {float(scale):.3g}, z = {int(zero_point)}", loc="left", fontsize=10)
    top.set_ylabel("r̂ = s·(q − z)")
    bottom.axvspan(low, high, color="0.94", zorder=0)
    bottom.plot(r, r_hat - r, color=ACCENT, linewidth=1.5)
    for sign in (-1, 1):
        bottom.axhline(sign * float(scale) / 2, color=INK, linewidth=0.8, linestyle="--")
    bottom.annotate("s/2", (1, float(scale) / 2), (3, -3), xycoords=("axes fraction", "data"),
                    textcoords="offset points", fontsize=9)
    bottom.set_xlabel("r (shaded: the range from r_min to r_max, 0 included)")
    bottom.set_ylabel("r̂ − r")
    return figure


def error_against_bits(arrays, bits=range(1, 13)):
    """Signal-to-noise ratio in dB against bits for arrays quantized each with its own range; returns a `Figure`.

    10·log₁₀(Σ r² / Σ (r − r̂)²), beside a line of 6.02 dB for each bit (QU-4), drawn through the last point of the first
    array. Asymmetric, one scale for each array.

    arrays : {name: array}, at least one, and none of only zeros
    bits : widths, 1 to 16

    >>> axes = error_against_bits({"uniform": np.linspace(-1, 1, 99)}, [4, 5]).axes[0]
    >>> [round(y) for y in axes.lines[1].get_ydata()]
    [24, 30]
    """
    bits = list(bits)
    expect.that(arrays and bits, f"arrays {list(arrays)} and bits {bits}: expected at least one of each")
    figure, ((ax,),) = sheet(6, 3.8)
    levels = {name: [_decibels(np.asarray(r), b) for b in bits] for name, r in arrays.items()}
    last = next(iter(levels.values()))[-1]
    ax.plot(bits, [last - DB_PER_BIT * (bits[-1] - b) for b in bits], color=SHADE, linewidth=4,
            label=f"{DB_PER_BIT:.2f} dB for each bit")
    for (name, level), style, color in zip(levels.items(), _styles(), _colors(), strict=False):
        ax.plot(bits, level, style, color=color, markersize=5, linewidth=1.2, label=name)
    ax.set_xlabel("bits")
    ax.set_ylabel("signal-to-noise ratio, dB")
    ax.set_xticks(bits)
    ax.legend(frameon=False)
    return figure


def per_layer_and_per_channel(weights, bits=4):
    """The relative error of each weight array with one scale, and with one for each channel (QU-3); returns a `Figure`.

    √(Σ (w − ŵ)² / Σ w²) in percent, symmetric, one bar per array and kind.

    weights : {name: array (out, in, …)}, none of only zeros

    >>> figure = per_layer_and_per_channel({"fc": np.array([[1.0, 0.3], [0.1, 0.03]])})
    >>> [len(bars) for bars in figure.axes[0].containers]
    [1, 1]
    """
    figure, ((ax,),) = sheet(max(4.5, 1 + 1.1 * len(weights)), 3.4)
    kinds = {"one scale for the layer": (None, SHADE, ""), "one for each channel": (0, ACCENT, "//")}
    for i, (label, (axis, color, hatch)) in enumerate(kinds.items()):
        errors = [100 * _relative_error(np.asarray(w, np.float64), bits, axis) for w in weights.values()]
        bars = ax.bar(np.arange(len(weights)) + (i - 0.5) * 0.38, errors, 0.36, color=color, hatch=hatch,
                      edgecolor="white", linewidth=0, label=label)
        ax.bar_label(bars, fmt="%.1f", fontsize=8, padding=2)
    ax.set_xticks(range(len(weights)), weights)
    ax.set_ylabel("relative error, %")
    ax.set_title(f"weights at {bits} bits, symmetric", loc="left", fontsize=10)
    ax.margins(y=0.15)
    ax.legend(frameon=False, fontsize=9)
    return figure


def _decibels(r, bits):
    scale, zero_point = choose_params(r.min(), r.max(), bits)
    noise = dequantize(quantize(r, scale, zero_point, *code_range(bits)), scale, zero_point) - r.astype(np.float64)
    return 10 * math.log10((r.astype(np.float64) ** 2).sum() / (noise**2).sum())


def _relative_error(w, bits, axis):
    flat = w.reshape(len(w), -1)
    low, high = (f(flat, axis=None if axis is None else 1, keepdims=axis is not None) for f in (np.min, np.max))
    scale, zero_point = choose_params(low, high, bits, symmetric=True)
    error = dequantize(quantize(flat, scale, zero_point, *code_range(bits)), scale, zero_point) - flat
    return math.sqrt((error**2).sum() / (flat**2).sum())


def _styles():
    return ("o-", "s--", "^:", "v-.")


def _colors():
    return (ACCENT, INK, "0.4", "0.55")
