"""Settings of the test tools that hold for every suite."""

from hypothesis import HealthCheck, settings

# Two cores are shared by servers and tests: how long an example takes says nothing about the code.
settings.register_profile("meterhouse", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meterhouse")
