"""Figures: each function returns a `matplotlib.figure.Figure` apart from pyplot's state: save it with ``savefig``, or
let a notebook show it as the last value of a cell.
"""

from .binarization import latent_weights, xnor_speedup
from .channels import error_against_parameters, filters_before_after, sensitivity
from .comparison import comparison
from .distillation import error_against_temperature, high_temperature_limit, softened_probabilities
from .graphs import computation_graph
from .pruning import pruning_progress, weights_per_pixel
from .quantization import error_against_bits, per_layer_and_per_channel, staircase
from .sizes import bytes_per_part, error_against_bytes, tour
from .sparse_rows import sparse_products
from .training import digits_grid, training_curves
from .trees import huffman_tree
from .weights import centroids_on_histogram, deep_compression, mask_picture, weight_histograms

__all__ = ["bytes_per_part", "centroids_on_histogram", "comparison", "computation_graph", "deep_compression",
           "digits_grid", "error_against_bits", "error_against_bytes", "error_against_parameters",
           "error_against_temperature", "filters_before_after", "high_temperature_limit", "huffman_tree",
           "latent_weights", "mask_picture", "per_layer_and_per_channel", "pruning_progress", "sensitivity",
           "softened_probabilities", "sparse_products", "staircase", "tour", "training_curves", "weight_histograms",
           "weights_per_pixel", "xnor_speedup"]
