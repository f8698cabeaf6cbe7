"""Errors, named by what happens next.

::

    OpenPhoneSyncError
    |-- RunError                     the run ends; ``exit_code`` says how
    |   |-- ConfigurationError  2    settings, usage, a missing table or column: nothing was written
    |   |-- UnreachableError    3    API or database could not be reached; ``--wait`` keeps trying
    |   |   `-- RefusedError    3    it was reached and refused the credentials: waiting does not help
    |   |-- SafetyStopError     4    refused before the first write; ``--force`` overrides
    |   |-- StaleError     4    a saved plan, workspace, database or state that is not the one expected: no override
    |   |-- LockedError         5    another run holds the lock
    |   `-- InterruptedRunError 128+n  a signal; in-flight writes were finished and recorded
    `-- ContactError                 this contact only; the run goes on
        |-- ContactGoneError         404
        |-- ContactConflictError     409
        |-- ContactForbiddenError    403
        |-- AnswerLostError          the request may or may not have been carried out
        `-- NotSentError             the run is stopping and the request was not sent

Messages say what happened, with which value (never a secret or a person's data), and after ``; `` what to do now.
"""

from __future__ import annotations

from collections.abc import Mapping

BUG = 70
"""EX_SOFTWARE of sysexits.h."""

BUG_ENDED_RUN = "a bug ended the run; look into the log in the state folder, and report it"

EXIT_CODES: Mapping[int, str] = {
    0: "done; nothing failed",
    1: "done, but some contacts failed, or a check did",
    2: "a setting, argument, table or column is wrong; nothing was written",
    3: "API or database could not be reached, or refused the credentials",
    4: "stopped before writing: a safety limit, a stale plan, another workspace",
    5: "another run holds the lock",
    6: "changes are pending (only dry-run --detailed-exitcode)",
    BUG: "a bug; the traceback is in the log",
    129: "interrupted by SIGHUP; what was in flight was finished and recorded",
    130: "interrupted by SIGINT (Ctrl-C), in the same way",
    141: "the reader of the output is gone (SIGPIPE)",
    143: "interrupted by SIGTERM, in the same way",
}
"""What a process ends with."""


class OpenPhoneSyncError(Exception):
    """Base of all errors that this project raises on purpose."""

    @property
    def what(self) -> str:
        """What is wrong: the message up to its semicolon."""
        return str(self).partition("; ")[0]

    @property
    def fix(self) -> str:
        """What to do now; empty if the message does not say."""
        return str(self).partition("; ")[2]


class RunError(OpenPhoneSyncError):
    """The run ends here with ``exit_code``."""

    exit_code = 1


class ConfigurationError(RunError):
    """A setting, an argument, a table or a column is wrong; nothing was written."""

    exit_code = 2


class UnreachableError(RunError):
    """The API or the database could not be reached."""

    exit_code = 3


class RefusedError(UnreachableError):
    """The API or the database refused the credentials."""


class SafetyStopError(RunError):
    """The plan goes past a safety limit; nothing was written and ``--force`` overrides."""

    exit_code = 4


class StaleError(RunError):
    """A saved plan that no longer fits, another workspace or another database: there is no override."""

    exit_code = 4


class LockedError(RunError):
    """Another run holds the lock of this state folder."""

    exit_code = 5


class InterruptedRunError(RunError):
    """A signal ended the run; ``exit_code`` is 128 plus its number."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}; run the command again")
        self.exit_code = 128 + signal_number


class ContactError(OpenPhoneSyncError):
    """One contact could not be read or written; the run goes on with the others.

    ``status`` is the HTTP status, 0 when there was no answer; ``code`` is the API's own, or ours in words.
    """

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code


class ContactGoneError(ContactError):
    """404: the contact does not exist (any more)."""


class ContactConflictError(ContactError):
    """409: the external id is taken; the API does not say by whom."""


class ContactForbiddenError(ContactError):
    """403: we may not write it: a permission of the key, of the workspace, or an integration's contact."""


class AnswerLostError(ContactError):
    """The request may or may not have been carried out: no answer, a 5xx, or an answer that is not JSON."""


class NotSentError(ContactError):
    """The run is stopping; this request was not sent."""
