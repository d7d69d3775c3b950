"""Status codes and their reason phrases (RFC 9110 section 15)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

_RENAMED: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
REASONS: Final = {status.value: status.phrase for status in HTTPStatus} | _RENAMED


def bodiless(status: int) -> bool:
    """Whether responses of this status have no content (RFC 9110 sections 6.4.1 and 15.3.6)."""
    return status in (204, 205, 304) or status < 200
