"""Recipes: what combines the chapters, from the names of data and a model to a small file."""

from .deep_compression import Plan as Plan
from .deep_compression import deep_compression as deep_compression
from .jobs import Job as Job
from .jobs import compress as compress
from .jobs import prepare as prepare
from .lab import Lab as Lab
from .lab import Stage as Stage
from .pipeline import Settings as Settings
from .pipeline import combine as combine
from .plans import DIGITS_MODEL as DIGITS_MODEL
from .plans import PLANS as PLANS
from .plans import plan_for as plan_for
from .plans import quick as quick
