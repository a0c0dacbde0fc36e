"""For every test: property tests draw the same examples each time, and none is failed for how long one took.

What differs from run to run is looked for elsewhere: `make fuzz`, `make faults` with other seeds, `make drill`.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
