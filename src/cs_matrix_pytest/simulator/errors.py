"""CloudStack's API errors: an HTTP status and errorcode, a cserrorcode and a text (ApiErrorCode, CSExceptionErrorCode)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class ApiError(Exception):
    """An error that the API answers. ``code`` is the HTTP status and ``errorcode``; ``named`` are ids of what it is about, by
    the server's names for them (``uuidList``, which only an answer that fails at once has)."""

    code = 530
    cs_code = 9999

    def __init__(
        self, text: str, *, code: int | None = None, cs_code: int | None = None, named: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.text = text
        self.named = named or {}
        if code is not None:
            self.code = code
        if cs_code is not None:
            self.cs_code = cs_code


@contextmanager
def as_internal_errors() -> Iterator[None]:
    """Whatever the API would answer for what goes wrong inside is an internal error of the command, as of those whose
    ``execute`` catches every exception."""
    try:
        yield
    except ApiError as error:
        raise ApiError(error.text) from None


class ParameterError(ApiError):
    """A parameter was refused while the request was read (ServerApiException, PARAM_ERROR)."""

    code = 431


class MalformedParameter(ParameterError):
    """A parameter's name could not be read as a map's (MALFORMED_PARAMETER_ERROR)."""

    code = 430


class InvalidParameterValue(ApiError):
    """A command refused a value (InvalidParameterValueException)."""

    code = 431
    cs_code = 4350


class PermissionDenied(ApiError):
    """The caller may not do this to that resource (PermissionDeniedException)."""

    code = 531
    cs_code = 4365


class UnsupportedCommand(ApiError):
    """The command does not exist or is not available (UNSUPPORTED_ACTION_ERROR)."""

    code = 432


class ResourceLimitExceeded(ApiError):
    """An account, domain or project limit is reached (ResourceAllocationException)."""

    code = 535
    cs_code = 4370


class InsufficientCapacity(ApiError):
    """No host, pool or address can take it (InsufficientCapacityException)."""

    code = 533


class ResourceUnavailable(ApiError):
    """A resource is there but cannot be used now (ResourceUnavailableException)."""

    code = 534


class ServiceUnavailable(ApiError):
    """This management server takes no more of it (SERVICE_UNAVAILABLE)."""

    code = 503


class InternalError(ApiError):
    """CloudRuntimeException and other unexpected errors (INTERNAL_ERROR)."""

    code = 530
    cs_code = 4250


def error_body(error: ApiError) -> dict[str, Any]:
    """An error as the API answers it; one that has nothing to say has no text."""
    named = [{"uuid": id, "description": name} for name, id in error.named.items()]
    body: dict[str, Any] = {"uuidList": named, "errorcode": error.code, "cserrorcode": error.cs_code}
    return body | ({"errortext": error.text} if error.text else {})
