"""Settings for every test: reproducible examples, and no time limit on a single one (speed is measured, not tested)."""

from hypothesis import HealthCheck, settings

settings.register_profile("tests", deadline=None, derandomize=True, max_examples=60, print_blob=False, database=None,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("tests")
