"""How often an account may ask within an interval (ApiRateLimitServiceImpl)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.iam import Account

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud


class RequestLimitExceeded(ApiError):
    """An account asked too often (API_LIMIT_EXCEED)."""

    code = 429


@dataclass
class Interval:
    """The requests of one account since its interval began; ``ends`` in simulated seconds."""

    ends: float
    issued: int = 0


@dataclass(frozen=True)
class Allowance:
    """What an account has asked and may still ask, and when that begins anew.

    ``expires_after`` is milliseconds; the whole interval in seconds where the account has not asked yet, as the real
    server has it.
    """

    issued: int
    allowed: int
    expires_after: int


class Throttling:
    """The counters of one cloud, by ``api.throttling.*``. Root admins are never refused."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._intervals: dict[str, Interval] = {}

    @property
    def is_enabled(self) -> bool:
        return self._cloud.configuration.flag("api.throttling.enabled")

    def check(self, account: Account) -> None:
        """Count one request of an account. Raises RequestLimitExceeded where it is one too many."""
        if not self.is_enabled or account.is_root_admin:
            return
        interval = self._running(account) or self.begin(account)
        interval.issued += 1
        if interval.issued > self._most:
            raise RequestLimitExceeded(
                f"The given user has reached his/her account api limit, please retry after [{self._left(interval)}] ms."
            )

    def allowance(self, account: Account) -> Allowance:
        """What an account may still ask; its interval begins if none runs."""
        interval = self._running(account)
        if interval is None:
            self.begin(account)
            return Allowance(0, self._most, self._seconds)
        return Allowance(interval.issued, self._most - interval.issued, self._left(interval))

    def begin(self, account: Account) -> Interval:
        """Begin an account's interval anew."""
        interval = self._intervals[account.id] = Interval(self._cloud.clock.now() + self._seconds)
        return interval

    def reset(self) -> None:
        """Forget what every account asked."""
        self._intervals.clear()

    def _running(self, account: Account) -> Interval | None:
        interval = self._intervals.get(account.id)
        return None if interval is None or interval.ends <= self._cloud.clock.now() else interval

    def _left(self, interval: Interval) -> int:
        return max(0, int((interval.ends - self._cloud.clock.now()) * 1000))

    @property
    def _seconds(self) -> int:
        return int(self._cloud.configuration.number("api.throttling.interval", default=1))

    @property
    def _most(self) -> int:
        return int(self._cloud.configuration.number("api.throttling.max", default=25))
