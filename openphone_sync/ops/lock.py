"""The lock of the state folder: one run at a time. The kernel frees the lock of a process that dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from openphone_sync.errors import ConfigurationError, InterruptedRunError, LockedError
from openphone_sync.ops.files import check_state_dir

LOCK_FILE = "lock"
SHORTEST_WAIT_S = 0.2
"""Not 0: `is_locked` of another process holds the lock for some microseconds."""
LOOK_S = 0.05
"""How often a wait asks again: the kernel has no wait for a lock that a signal or a time ends."""


@contextmanager
def run_lock(state_dir: Path, wait_s: float = 0.0, signal_number: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Hold the lock; `LockedError` if another run still holds it after ``wait_s``. A signal ends the wait."""
    prepare_state_dir(state_dir)
    handle = _open_lock(state_dir)
    try:
        ends_at = time.monotonic() + max(wait_s, SHORTEST_WAIT_S)
        while not _take(handle, state_dir):
            if signal_number():
                raise InterruptedRunError(signal_number())
            if time.monotonic() >= ends_at:
                raise LockedError(
                    f"another run holds the lock of {state_dir}; wait for it to end (openphone-sync status shows it)"
                )
            time.sleep(LOOK_S)
        yield
    finally:
        os.close(handle)  # also frees the lock


def _open_lock(state_dir: Path) -> int:
    try:
        return os.open(state_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _refuse(state_dir, error) from error


def _take(handle: int, state_dir: Path) -> bool:
    """Whether the lock is ours now; `ConfigurationError` where files cannot be locked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _refuse(state_dir, error) from error
    return True


def is_locked(state_dir: Path) -> bool:
    """Whether a run is in progress."""
    try:
        handle = os.open(state_dir / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)  # also frees the lock
    return False


def prepare_state_dir(state_dir: Path) -> None:
    """Make the state folder, only for its owner; `ConfigurationError` if that fails."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the state folder {state_dir} cannot be created ({error.strerror}); choose another with --state-dir"
        ) from error
    check_state_dir(state_dir)
    probe = state_dir / f".probe-{os.urandom(4).hex()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _refuse(state_dir, error) from error


def _refuse(state_dir: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"the state folder {state_dir} cannot be written ({error.strerror}); correct its permissions, or use --state-dir"
    )
