"""Pruning: weights set to exactly zero, by magnitude, at once or gradually."""

from .magnitude import global_magnitude_masks, magnitude_mask, sparsity, std_mask, threshold_mask
from .projections import GradualPruning, MagnitudePruning, Mask, mask_weights
from .schedule import gradual_sparsity

__all__ = [
    "GradualPruning", "MagnitudePruning", "Mask", "global_magnitude_masks", "gradual_sparsity", "magnitude_mask",
    "mask_weights", "sparsity", "std_mask", "threshold_mask",
]
