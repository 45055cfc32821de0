"""What Marvin did during a test: its log lines and API calls, kept per connection, bounded and without secrets."""

from __future__ import annotations

import functools
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from cs_matrix_pytest.environments.masking import MASK
from cs_matrix_pytest.environments.secret_names import is_secret_name

Mask = Callable[[str], str]

LOG_LINES = 300
LOG_LINE_CHARACTERS = 2000
API_CALLS = 200

# Seconds to connect, and to wait for an answer: Marvin itself waits for ever. The longest synchronous commands
# (adding a host, a cluster) take minutes.
TIMEOUT = (15, 1800)

_BYTES_REPR = re.compile(r"\bb(?=['\"])")


def without_secrets(text: str, mask: Mask) -> str:
    """``text`` masked by ``mask``, which knows text but not the ``b'…'`` that a modern Marvin logs its signature as."""
    return mask(_BYTES_REPR.sub("", text))


@dataclass(frozen=True)
class ApiCall:
    """One API command and what came of it; polls of one job count as one call.

    ``status`` is the HTTP status, None where no answer came; ``error_code`` and ``error`` are the server's, or the
    text of what kept the answer away; ``job`` is the id of the job that the command started or asked for.
    """

    command: str
    parameters: Mapping[str, str]
    seconds: float
    status: int | None
    error_code: int | None = None
    error: str | None = None
    job: str | None = None
    times: int = 1

    def __str__(self) -> str:
        parameters = " ".join(f"{name}={value}" for name, value in sorted(self.parameters.items()))
        facts = [
            f"HTTP {self.status}" if self.status is not None else "no answer",
            f"{self.seconds:.3f} s",
            f"{self.times} times" if self.times > 1 else "",
            f"job {self.job}" if self.job else "",
            f"error {self.error_code}" if self.error_code else "",
        ]
        text = f"{self.command} {parameters} → {', '.join(filter(None, facts))}"
        return f"{text}: {self.error}" if self.error else text


@dataclass(frozen=True)
class TestTrace:
    """Log lines and API calls between two points in time, oldest first; ``*_left_out`` older ones were dropped."""

    __test__: ClassVar[bool] = False  # not a test class, whatever its name

    log: tuple[str, ...] = ()
    calls: tuple[ApiCall, ...] = ()
    log_left_out: int = 0
    calls_left_out: int = 0

    @property
    def jobs(self) -> tuple[str, ...]:
        """The ids of all asynchronous jobs, in order of appearance."""
        return tuple(dict.fromkeys(call.job for call in self.calls if call.job))


@dataclass
class _Newest:
    """The newest entries, and how many older ones there were."""

    entries: deque[Any]
    left_out: int = 0

    def add(self, entry: Any) -> None:
        self.left_out += len(self.entries) == self.entries.maxlen
        self.entries.append(entry)


class Recorder(logging.Handler):
    """The handler on a connection's logger that remembers its lines; API calls find it there (`record_api_calls`)."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self.mask = mask
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
        self._lines = _Newest(deque(maxlen=LOG_LINES))
        self._calls = _Newest(deque(maxlen=API_CALLS))

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a line; the logger's filter has already taken the secrets out of it."""
        line = self.format(record)
        if len(line) > LOG_LINE_CHARACTERS:
            line = f"{line[:LOG_LINE_CHARACTERS]}… ({len(line)} characters)"
        self._lines.add(line)

    def add_call(self, call: ApiCall) -> None:
        """Remember a call; a further poll of the job that was polled last only counts."""
        last = self.last_call
        if last is not None and last.command == call.command == "queryAsyncJobResult" and last.job == call.job:
            self._calls.entries[-1] = replace(call, times=last.times + 1, seconds=last.seconds + call.seconds)
        else:
            self._calls.add(call)

    @property
    def last_call(self) -> ApiCall | None:
        """The newest call since the last `take`."""
        return self._calls.entries[-1] if self._calls.entries else None

    def take(self) -> TestTrace:
        """All that was recorded since the last `take`."""
        lines, self._lines = self._lines, _Newest(deque(maxlen=LOG_LINES))
        calls, self._calls = self._calls, _Newest(deque(maxlen=API_CALLS))
        return TestTrace(tuple(lines.entries), tuple(calls.entries), lines.left_out, calls.left_out)


@dataclass(frozen=True)
class SecretFilter:
    """Takes secrets out of log records before any handler, Marvin's files included, sees them."""

    mask: Mask
    _format: logging.Formatter = field(default_factory=logging.Formatter, repr=False)

    def filter(self, record: logging.LogRecord) -> bool:
        """As `logging.Filter.filter`; keeps every record."""
        record.msg, record.args = without_secrets(record.getMessage(), self.mask), ()
        if record.exc_info:
            record.exc_text = without_secrets(self._format.formatException(record.exc_info), self.mask)
        return True


def record_api_calls(connection_module: Any) -> None:
    """Wrap the request method of ``marvin.cloudstackConnection`` so that each connection's `Recorder` gets its calls.

    The one place where a function of Marvin is replaced while it runs: ``cloudConnection.request`` of 4.4.0,
    ``CSConnection.__sendCmdToCS`` of a modern one, both (self, command, auth, payload, method). The first raises what
    goes wrong; the second gives FAILED and keeps the exception. Here, too, requests get a `TIMEOUT`. Doing it twice does nothing.
    """
    connection = connection_module.CSConnection
    name = "request" if hasattr(connection, "request") else "_CSConnection__sendCmdToCS"
    send = getattr(connection, name)
    if hasattr(send, "__wrapped__"):
        return

    @functools.wraps(send)
    def recorded(self: Any, command: str, auth: bool = True, payload: Any = None, method: str = "GET") -> Any:
        payload = {} if payload is None else payload
        recorder = next((handler for handler in self.logger.handlers if isinstance(handler, Recorder)), None)
        if recorder is None:
            return send(self, command, auth, payload, method)
        given = dict(payload)
        started = time.perf_counter()
        failure: BaseException | str | None = None
        response = None
        try:
            response = send(self, command, auth, payload, method)
        except Exception as error:
            failure = error
            raise
        finally:
            seconds = time.perf_counter() - started
            if failure is None and not hasattr(response, "status_code"):
                failure = self.getLastError() if hasattr(self, "getLastError") else "no answer"
            recorder.add_call(_call(command, given, seconds, response, failure, recorder.mask))
        return response

    setattr(connection, name, recorded)
    connection_module.requests = _BoundedRequests(connection_module.requests)


class _BoundedRequests:
    """The module ``requests`` as Marvin's connection uses it, with a time limit."""

    def __init__(self, requests: Any) -> None:
        self._requests = requests

    def __getattr__(self, name: str) -> Any:
        return getattr(self._requests, name)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._requests.get(*args, **{"timeout": TIMEOUT, **kwargs})

    def post(self, *args: Any, **kwargs: Any) -> Any:
        return self._requests.post(*args, **{"timeout": TIMEOUT, **kwargs})


def _call(
    command: str,
    payload: Mapping[str, Any],
    seconds: float,
    response: Any,
    failure: BaseException | str | None,
    mask: Mask,
) -> ApiCall:
    parameters = {
        str(name): MASK if is_secret_name(str(name)) else without_secrets(str(value), mask)
        for name, value in payload.items()
        if name not in ("command", "response")
    }
    if failure is not None:
        text = without_secrets(
            f"{type(failure).__name__}: {failure}" if isinstance(failure, BaseException) else failure, mask
        )
        return ApiCall(command, parameters, seconds, None, error=text)
    answer = _answer(response)
    job_result = answer.get("jobresult") if answer.get("jobstatus") == 2 else None
    error = job_result if isinstance(job_result, dict) else answer
    reason = error.get("errortext") or (_beginning(response) if response.status_code >= 400 else None)
    return ApiCall(
        command,
        parameters,
        seconds,
        response.status_code,
        error.get("errorcode"),
        without_secrets(str(reason), mask) if reason is not None else None,
        answer.get("jobid") or parameters.get("jobid"),
    )


def _answer(response: Any) -> Mapping[str, Any]:
    """What is inside the response's envelope, where it can tell of a job or an error; large lists are not parsed again."""
    head = response.content[:2000]
    if b'"jobid"' not in head and b'"errorcode"' not in head and b'"jobresult"' not in head:
        return {}
    try:
        envelope = response.json()
    except ValueError:
        return {}
    inner = next(iter(envelope.values()), None) if isinstance(envelope, dict) else None
    return inner if isinstance(inner, dict) else {}


def _beginning(response: Any) -> str:
    text = " ".join(re.sub(r"<[^>]*>", " ", response.text[:2000]).split())
    return text[:200] or response.reason
