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


@contextmanager
def run_lock(state_dir: Path, wait_s: float = 0.0, signal_number: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Hold the lock; `LockedError` if another run still holds it after ``wait_s``. A signal ends the wait."""
    from filelock import FileLock, Timeout  # noqa: PLC0415  # 20 ms, not needed to ask `is_locked`

    prepare_state_dir(state_dir)
    # Not 0: `is_locked` of another process holds the lock for some microseconds.
    lock = FileLock(state_dir / LOCK_FILE, timeout=0.2, poll_interval=0.05, mode=0o600)
    ends_at = time.monotonic() + wait_s
    try:
        while True:
            try:
                lock.acquire()
                break
            except Timeout:
                if signal_number():
                    raise InterruptedRunError(signal_number()) from None
                if time.monotonic() >= ends_at:
                    raise
    except Timeout:
        raise LockedError(
            f"another run holds the lock of {state_dir}; wait for it to end (openphone-sync status shows it)"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"the state folder {state_dir} cannot be written ({error.strerror}); correct its permissions, or use --state-dir"
        ) from error
    try:
        yield
    finally:
        lock.release()


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
        raise ConfigurationError(
            f"the state folder {state_dir} cannot be written ({error.strerror}); correct its permissions, or use --state-dir"
        ) from error
