"""Recipes: what combines the chapters, from the names of data and a model to a small file."""

from .course import Stage
from .deep_compression import Plan, deep_compression, share_weights
from .jobs import Job, compress, prepare
from .plans import DIGITS_MODEL, PLANS, plan_for, quick

__all__ = ["DIGITS_MODEL", "PLANS", "Job", "Plan", "Stage", "compress", "deep_compression", "plan_for", "prepare",
           "quick", "share_weights"]
