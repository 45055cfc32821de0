"""CloudStack's API errors: an HTTP status and errorcode, a cserrorcode and a text (ApiErrorCode, CSExceptionErrorCode)."""

from __future__ import annotations


class ApiError(Exception):
    """An error that the API answers. ``code`` is the HTTP status and ``errorcode``."""

    code = 530
    cs_code = 9999

    def __init__(self, text: str, *, code: int | None = None, cs_code: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        if code is not None:
            self.code = code
        if cs_code is not None:
            self.cs_code = cs_code


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


class InternalError(ApiError):
    """CloudRuntimeException and other unexpected errors (INTERNAL_ERROR)."""

    code = 530
    cs_code = 4250
