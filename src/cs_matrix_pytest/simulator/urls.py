"""URLs that requests give, taken apart."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from cs_matrix_pytest.simulator.errors import InvalidParameterValue


def parts_of(url: str) -> SplitResult:
    """The parts of a URL; raises InvalidParameterValue for what cannot be one (``http://[x``)."""
    try:
        parts = urlsplit(url)
        # Looked at here, as a bad port shows itself no earlier.
        parts.port  # noqa: B018
    except ValueError:
        raise InvalidParameterValue(f"{url} is not a valid uri") from None
    return parts
