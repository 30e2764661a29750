"""The server's clock over jumps of the machine's clock. Both clocks are turned by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from meterhouse.stores.embedded.clock import SteadyClock

START = datetime(2026, 11, 1, tzinfo=UTC)
MONTH = timedelta(days=40)


class Machine:
    def __init__(self) -> None:
        self.wall, self.seconds = START, 1_000.0
        self.clock = SteadyClock(lambda: self.wall, lambda: self.seconds)

    def wait(self, seconds: float) -> datetime:
        """Let time pass second by second, as the server looks at its clock."""
        whole, now = int(seconds), self.clock()
        for step in [1.0] * whole + [seconds - whole]:
            self.wall += timedelta(seconds=step)
            self.seconds += step
            now = self.clock()
        return now


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_without_jumps_it_is_the_machines_clock(machine: Machine) -> None:
    assert machine.wait(90.5) == START + timedelta(seconds=90.5)
    assert machine.clock.difference == timedelta()


@pytest.mark.parametrize("jump", [MONTH, -MONTH, timedelta(seconds=2), timedelta(seconds=-2)])
def test_a_short_jump_changes_nothing_but_the_difference(machine: Machine, jump: timedelta) -> None:
    machine.wall += jump
    assert machine.wait(30) == START + timedelta(seconds=30)
    assert machine.clock.difference == jump
    machine.wall -= jump
    assert machine.wait(90) == START + timedelta(seconds=120)
    assert machine.clock.difference == timedelta()


@pytest.mark.parametrize("jump", [MONTH, -MONTH])
def test_a_jump_is_followed_after_a_minute(machine: Machine, jump: timedelta) -> None:
    machine.wait(10)
    machine.wall += jump
    assert machine.wait(59) == START + timedelta(seconds=69)
    assert machine.wait(5) == START + timedelta(seconds=74) + jump
    assert machine.clock.difference == timedelta()


def test_the_minute_begins_again_with_each_jump(machine: Machine) -> None:
    for jump in (MONTH, -2 * MONTH, 3 * MONTH):
        machine.wall += jump
        machine.wait(40)
    assert machine.clock() == START + timedelta(seconds=120)


def test_a_drift_is_followed_without_steps_back(machine: Machine) -> None:
    """As NTP corrects a clock: by much less than a second in a second."""
    last = machine.clock()
    for drift in [0.0005] * 3_000 + [-0.0005] * 3_000:
        machine.wall += timedelta(seconds=drift)
        now = machine.wait(1)
        assert last <= now
        assert abs(now - machine.wall) < timedelta(milliseconds=1)
        last = now


def test_a_small_step_back_makes_it_stand_still(machine: Machine) -> None:
    last = machine.wait(10)
    machine.wall -= timedelta(seconds=0.8)
    assert machine.clock() == last
    assert machine.wait(0.5) == last
    assert machine.wait(0.5) == last + timedelta(seconds=0.2)
