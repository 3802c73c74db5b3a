"""Knowledge distillation (KD)."""
