"""One call that a paywall let in, and the usage that is recorded for it."""

import asyncio
import time

from meterhouse_sdk._new_usage import Outcome
from meterhouse_sdk._paywall import Admission


class Call:
    """A call that was let in.

    delivered: its reader has got something. status: of its answer; None: it is no HTTP answer.
    sells: False for an answer that delivers nothing, whatever its status: that of a HEAD request.
    """

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.delivered = False
        self.status: int | None = None
        self.sells = True
        self.is_open = True
        self._started = time.perf_counter()

    def duration_ms(self) -> int:
        return round((time.perf_counter() - self._started) * 1000)

    def outcome(self, error: BaseException | None) -> Outcome | None:
        """Return what to record; None: nothing was sold, and nothing failed.

        A reader who leaves after the first value or byte has received a delivery.
        """
        if isinstance(error, GeneratorExit) and not self.delivered:
            return None
        has_left = isinstance(error, asyncio.CancelledError | GeneratorExit) and self.delivered
        if error is not None and not has_left:
            return "fail"
        if self.status is not None and self.status >= 400:
            return "fail"
        is_redirect = self.status is not None and self.status >= 300  # 304 too
        return "success" if self.sells and not is_redirect else None
