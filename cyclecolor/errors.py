"""The one exception that a user's mistake may raise."""


class CycleColorError(Exception):
    """Something the user can put right.

    The message is one line: what is wrong, which file or key, and what to do. The command line prints
    it and exits with `exit_code`: 2 for a wrong call (path, key, option), 1 for work that failed.
    """

    def __init__(self, message: str, *, exit_code: int = 1):
        super().__init__(message)
        self.exit_code = exit_code
