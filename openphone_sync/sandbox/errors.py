"""The one error of the sandbox."""


class SandboxError(Exception):
    """Something on this machine stops the sandbox: the text says what, and what to do."""
