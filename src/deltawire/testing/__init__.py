"""The simulated venues for tests of your own: `plugin` has fixtures for pytest, `running_venues` needs no pytest.

The venues run in a process of their own, so a test that blocks does not stop them; each start takes about a second.
"""

from deltawire.testing.venues import NotStarted, SimulatedVenues, running_venues

__all__ = ["NotStarted", "SimulatedVenues", "running_venues"]
