"""The rules of credits said plainly: each credit is a coin of its own, and every look begins from nothing."""

from dataclasses import dataclass, field
from typing import NamedTuple

NEVER = 2**63


class Given(NamedTuple):
    """expires: NEVER for coins that do not."""

    at: int
    coins: int
    expires: int


class Taken(NamedTuple):
    at: int
    coins: int


class Kept(NamedTuple):
    """A hold keeps coins until its time, or until it ends before."""

    at: int
    hold: int
    coins: int
    until: int


class LetGo(NamedTuple):
    """A hold is released, or settled with coins: its own first where they expire first."""

    at: int
    hold: int
    coins: int = 0


class Passed(NamedTuple):
    """Whatever has ended by now stays so, also when the clock is set back."""

    at: int


Fact = Given | Taken | Kept | LetGo | Passed


@dataclass
class Coin:
    grant: int
    expires: int
    kept_by: int | None = None


class Lost(NamedTuple):
    """Coins of one grant that expired at a time."""

    at: int
    grant: int
    coins: int


@dataclass
class Purse:
    """facts: in the order in which they came about."""

    facts: list[Fact] = field(default_factory=list)

    def at(self, now: int) -> "Coins":
        """Return what there is at a time, which is that of the last fact or later."""
        coins = Coins()
        for order, fact in enumerate(self.facts):
            coins.pass_time(fact.at)
            coins.take_in(order, fact)
        coins.pass_time(now)
        return coins


@dataclass
class Coins:
    coins: list[Coin] = field(default_factory=list)
    holds: dict[int, tuple[int, int]] = field(default_factory=dict)
    """When each open hold was opened, and when it ends by itself."""
    lost: list[Lost] = field(default_factory=list)

    @property
    def kept(self) -> int:
        return sum(coin.kept_by is not None for coin in self.coins)

    @property
    def expiring(self) -> dict[int, int]:
        """How many coins expire at each time."""
        found: dict[int, int] = {}
        for coin in self.coins:
            if coin.expires != NEVER:
                found[coin.expires] = found.get(coin.expires, 0) + 1
        return found

    def take_in(self, order: int, fact: Fact) -> None:
        match fact:
            case Given():
                self.coins += [Coin(order, fact.expires) for _ in range(fact.coins)]
            case Taken():
                self.spend(fact.coins)
            case Kept():
                self.holds[fact.hold] = (fact.at, fact.until)
                for coin in self.first(fact.coins):
                    coin.kept_by = fact.hold
            case LetGo():
                self.let_go(fact.hold)
                self.spend(fact.coins)
        self.forget_expired(fact.at)

    def spend(self, number: int) -> None:
        spent = {id(coin) for coin in self.first(number)}
        self.coins = [coin for coin in self.coins if id(coin) not in spent]

    def first(self, number: int) -> list[Coin]:
        """Return the free coins that are used first: those that expire first, of these the oldest."""
        free = sorted(
            (coin for coin in self.coins if coin.kept_by is None),
            key=lambda coin: (coin.expires, coin.grant),
        )
        assert len(free) >= number
        return free[:number]

    def let_go(self, hold: int) -> None:
        self.holds.pop(hold, None)
        for coin in self.coins:
            if coin.kept_by == hold:
                coin.kept_by = None

    def pass_time(self, now: int) -> None:
        """Go through all that happens by itself, one time after another; at each, holds end first.

        Coins that a hold gives back after their time expire at once, those of each hold by themselves.
        """
        ends = {hold: until for hold, (at, until) in self.holds.items()}
        for hold, (at, until) in self.holds.items():
            if at > now + 60_000_000:  # opened by a clock that was ahead
                ends[hold] = min(until, now)
        times = {coin.expires for coin in self.coins} | set(ends.values())
        for time in sorted(each for each in times if each <= now):
            for hold in [hold for hold in self.holds if ends[hold] <= time]:
                self.let_go(hold)
                self.forget_expired(time)
            self.forget_expired(time)

    def forget_expired(self, time: int) -> None:
        expired = [coin for coin in self.coins if coin.expires <= time and coin.kept_by is None]
        for grant in dict.fromkeys(coin.grant for coin in sorted(expired, key=lambda coin: coin.expires)):
            self.lost.append(Lost(time, grant, sum(coin.grant == grant for coin in expired)))
        self.coins = [coin for coin in self.coins if coin.expires > time or coin.kept_by is not None]
