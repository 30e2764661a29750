"""Settings of the test tools that hold for every suite."""

import signal

from hypothesis import HealthCheck, settings

# Two cores are shared by servers and tests: how long an example takes says nothing about the code.
settings.register_profile("meterhouse", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meterhouse")

# Started in the background of a shell, the tests and all they start would never hear Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
