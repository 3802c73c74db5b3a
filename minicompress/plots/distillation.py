"""Soft targets: what a temperature does to a network's answers, to a gradient, and to what a student learns."""

import numpy as np

from minicompress import expect
from minicompress.distillation import soft_target_loss, soft_targets
from minicompress.engine import Tensor

from .sheet import ACCENT, INK, SHADE, sheet


def softened_probabilities(logits, temperatures=(1, 2, 5, 20), *, image=None):
    """One example's probabilities at several temperatures, a panel of bars for each (KD-1); returns a `Figure`.

    logits : (classes,), what a network says of the example
    image : (H, W), drawn before the panels, or None

    Raises ValueError for other shapes and for no temperature.

    >>> [ax.get_title() for ax in softened_probabilities([0.0, 2.0], (1, 20)).axes]
    ['T = 1', 'T = 20']
    """
    logits = np.asarray(logits, np.float64)
    expect.that(logits.ndim == 1 and len(temperatures), f"logits have shape {logits.shape} with {len(temperatures)} "
                "temperatures, expected (classes,) and at least one")
    extra = int(image is not None)
    figure, (axes,) = sheet(1.9 * (len(temperatures) + extra), 2.3, columns=len(temperatures) + extra)
    if extra:
        axes[0].imshow(np.asarray(image), cmap="gray_r", interpolation="none")
        axes[0].axis("off")
    top = int(logits.argmax())
    for ax, temperature in zip(axes[extra:], temperatures, strict=True):
        p = soft_targets(logits[None], temperature=temperature)[0]
        ax.bar(range(len(p)), p, color=[ACCENT if i == top else SHADE for i in range(len(p))], edgecolor=INK,
               linewidth=0.6)
        ax.set_title(f"T = {temperature:g}", fontsize=10)
        ax.set_ylim(0, 1.05)
        ax.set_xticks(range(len(p)))
        ax.tick_params(axis="x", length=0, labelsize=8)
        ax.set_xlabel("class")
        if ax is not axes[extra]:
            ax.set_yticklabels([])
    axes[extra].set_ylabel("probability")
    return figure


def error_against_temperature(temperatures, students):
    """Test error of distilled students over the temperature, a line for each width; returns a `Figure`.

    temperatures : (k,) above 0
    students : {units: {"distilled": (seeds, k), "plain": (seeds,)}}, test errors as fractions, such as
        `recipes.hinton.error_against_temperature` measures; lines are means over seeds, with the least and the most of
        them as bars; dashed, with the same markers hollow, the same student trained on labels

    Raises ValueError for more widths than there are shades, three.

    >>> figure = error_against_temperature([1, 4], {30: {"distilled": [[0.05, 0.04]], "plain": [0.06]}})
    >>> figure.axes[0].get_xlabel()
    'temperature T (log scale)'
    """
    expect.that(len(students) <= 3, f"{len(students)} widths of students, expected at most 3")
    figure, ((ax,),) = sheet(6, 3.4)
    for (units, errors), color, marker in zip(students.items(), (ACCENT, INK, "0.5"), "osD", strict=False):
        distilled = 100 * np.asarray(errors["distilled"])
        mean = distilled.mean(axis=0)
        ax.errorbar(temperatures, mean, [mean - distilled.min(axis=0), distilled.max(axis=0) - mean], color=color,
                    marker=marker, markersize=5, capsize=2, elinewidth=0.8, label=f"{units} units, soft targets")
        ax.plot(temperatures, [100 * np.mean(errors["plain"])] * len(temperatures), "--", color=color, linewidth=1,
                marker=marker, markersize=5, markerfacecolor="white", label=f"{units} units, labels")
    ax.set_xscale("log")
    ax.set_xticks(temperatures, [f"{t:g}" for t in temperatures])
    ax.minorticks_off()
    ax.set_ylim(bottom=0)
    ax.set_xlabel("temperature T (log scale)")
    ax.set_ylabel("test error, %")
    ax.legend(frameon=False, fontsize=8, ncols=2)
    return figure


def high_temperature_limit(student_logits, teacher_logits, temperatures=tuple(2.0**k for k in range(11))):
    """How far the soft gradient is from its limit (z − v)/(N·T²), over T, beside a line of slope −1 (KD-4).

    student_logits, teacher_logits : z and v, (n, classes); each row's mean is taken off, as the limit supposes
    temperatures : at least two, rising; the last is where the line is laid through

    Returns a `Figure`; the distance is relative, in the Euclidean norm.

    >>> rng = np.random.default_rng(0)
    >>> high_temperature_limit(rng.normal(size=(4, 10)), rng.normal(size=(4, 10))).axes[0].get_yscale()
    'log'
    """
    z, v = (np.asarray(a, np.float64) - np.mean(a, axis=1, keepdims=True) for a in (student_logits, teacher_logits))
    distances = []
    for temperature in temperatures:
        student, limit = Tensor(z, requires_grad=True), (z - v) / z.shape[1]
        soft_target_loss(student, v, None, temperature=temperature, alpha=0.0).backward()
        gradient = student.grad * len(z)  # of each example, times T²: scale is T² and the loss a mean
        distances.append(np.linalg.norm(gradient - limit) / np.linalg.norm(limit))
    figure, ((ax,),) = sheet(5.5, 3.2)
    ax.plot(temperatures, distances, "o-", color=ACCENT, markersize=4, label="soft-target gradient · N·T²")
    ax.plot(temperatures, distances[-1] * temperatures[-1] / np.asarray(temperatures), "--", color=INK, linewidth=1,
            label="proportional to 1/T")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlabel("temperature T (log scale)")
    ax.set_ylabel("relative distance from z − v (log scale)")
    ax.legend(frameon=False)
    return figure
