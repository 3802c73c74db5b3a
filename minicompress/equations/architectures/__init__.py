"""Pages of compact architectures."""
