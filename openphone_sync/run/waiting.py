"""Keep trying to reach API and database at the start of a run, for as long as ``--wait`` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from openphone_sync.errors import RefusedError, UnreachableError
from openphone_sync.run.context import Parts

MAX_WAIT_BETWEEN_S = 60.0

_T = TypeVar("_T")


def keep_trying(call: Callable[[], _T], parts: Parts, deadline_s: float) -> _T:
    """What ``call`` returns, asked again until the monotonic second ``deadline_s`` while nothing can be reached.

    Refused credentials are not waited for.
    """
    pause = 1.0
    while True:
        try:
            return call()
        except RefusedError:
            raise
        except UnreachableError:
            left = deadline_s - parts.clock.monotonic()
            if left <= 0 or parts.stopping():
                raise
            parts.clock.sleep(min(pause, left))
            pause = min(pause * 2, MAX_WAIT_BETWEEN_S)
