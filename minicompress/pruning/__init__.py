"""Pruning: weights set to exactly zero, by magnitude, at once or gradually; and channels that are really removed."""

from .channels import choose_channels, cut_channels, filter_norm, group_scores
from .magnitude import global_magnitude_masks, magnitude_mask, sparsity, std_mask, threshold_mask
from .projections import GradualPruning, MagnitudePruning, Mask, mask_weights
from .schedule import gradual_sparsity
from .sensitivity import sensitivity
from .slimming import scale_norm, slimming
from .sparse_layers import CSRLinear, to_csr

__all__ = [
    "CSRLinear", "GradualPruning", "MagnitudePruning", "Mask", "choose_channels", "cut_channels", "filter_norm",
    "global_magnitude_masks", "gradual_sparsity", "group_scores", "magnitude_mask", "mask_weights", "scale_norm",
    "sensitivity", "slimming", "sparsity", "std_mask", "threshold_mask", "to_csr",
]
