"""Page tokens and page sizes of every list."""

import base64
import binascii
import re

from openphone_sync.sandbox.rules import Issue, make_bad_request

PAGE_SIZE_DEFAULT = 10


def make_token(offset: int, salt: str = "") -> str:
    """Return a page token: opaque to callers, an offset underneath. `salt` makes another token for the same page."""
    return base64.urlsafe_b64encode(f"offset:{offset}:{salt}".encode()).decode()


def read_offset(given: list[tuple[str, str]]) -> int:
    """Return where the page of `pageToken` begins. Raises RefusedError (400)."""
    token = next((value for key, value in given if key == "pageToken"), "")
    if not token:
        return 0
    try:
        word, offset, _ = base64.urlsafe_b64decode(token).decode().split(":")
        if word == "offset":
            return int(offset)
    except (binascii.Error, ValueError):
        pass
    raise make_bad_request(Issue("/pageToken", "Invalid page token", token))


def read_page_size(given: list[tuple[str, str]], largest: int) -> int:
    """Return `maxResults`: 10 when absent (seen live, the vendor document calls it required), 1 to `largest` otherwise."""
    text = next((value for key, value in given if key == "maxResults"), str(PAGE_SIZE_DEFAULT))
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise make_bad_request(Issue("/maxResults", "Expected integer", text, "integer"))
    if int(text) < 1:
        raise make_bad_request(Issue("/maxResults", "Expected integer to be greater or equal to 1", text, "integer"))
    if int(text) > largest:
        message = f"Expected integer to be less or equal to {largest}"
        raise make_bad_request(Issue("/maxResults", message, text, "integer"))
    return int(text)
