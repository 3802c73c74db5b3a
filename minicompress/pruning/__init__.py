"""Pruning: weights set to exactly zero, by magnitude, at once or gradually; and channels that are really removed."""

from .choose import choose_channels as choose_channels
from .choose import group_scores as group_scores
from .choose import slim as slim
from .choose import strongest as strongest
from .criteria.apoz import activity as activity
from .criteria.apoz import apoz as apoz
from .criteria.filter_norm import filter_norm as filter_norm
from .criteria.geometric_median import geometric_median as geometric_median
from .criteria.scale_norm import scale_norm as scale_norm
from .cut import cut_channels as cut_channels
from .magnitude import global_magnitude_masks as global_magnitude_masks
from .magnitude import magnitude_mask as magnitude_mask
from .magnitude import sparsity as sparsity
from .magnitude import std_mask as std_mask
from .magnitude import threshold_mask as threshold_mask
from .masks import GradualPruning as GradualPruning
from .masks import MagnitudePruning as MagnitudePruning
from .masks import Mask as Mask
from .masks import mask_weights as mask_weights
from .schedule import gradual_sparsity as gradual_sparsity
from .scratch import scratch_epochs as scratch_epochs
from .scratch import untrained as untrained
from .sensitivity import sensitivity as sensitivity
from .slimming import slimming as slimming
from .sparse_layers import CSRLinear as CSRLinear
from .sparse_layers import to_csr as to_csr
