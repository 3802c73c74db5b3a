"""Settings for every test: reproducible examples, and no time limit on a single one (speed is measured, not tested)."""

import re

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tests", deadline=None, derandomize=True, max_examples=60, print_blob=False, database=None,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("tests")


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is slow
def pytest_collection_modifyitems(items):
    """Tests of the tests, which plant bugs and see that they are caught, take a quarter of the time: they are slow."""
    for item in items:
        if re.search("planted|mutant", item.name.partition("[")[0]):
            item.add_marker(pytest.mark.slow)
