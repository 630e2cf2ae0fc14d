"""A call again, after a while, when a store has too much to do."""

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from .addresses import scrubbed
from .store import StorageError

T = TypeVar("T")

WAITS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # seconds, each times 0.5 to 1.5, so that workers do not march
PASSING = {408, 429, 500, 502, 503, 504}  # statuses of HTTP that may be others in a moment


def retried(call: Callable[[], T], place: str) -> T:
    """What `call` returns, tried again while the store is busy or away.

    Raises
    ------
    FileNotFoundError
        If the store has no such file.
    StorageError
        About `place`, when it does not pass.
    """
    for wait in (*WAITS, None):
        try:
            return call()
        except StorageError:
            raise
        except Exception as error:
            found = statuses(error)
            if 404 in found or (isinstance(error, FileNotFoundError) and not found):
                raise FileNotFoundError(place) from None
            if wait is None or not _passes(error):
                raise StorageError(f"{place}: {_cause(error)}") from None  # its words may hold a secret
            time.sleep(wait * random.uniform(0.5, 1.5))
    raise AssertionError("the last wait is none")


def statuses(error: BaseException) -> set[int]:
    """Statuses of HTTP that an error and its causes tell, in the ways of aiohttp, botocore and gcsfs."""
    found = set()
    for one in _chain(error):
        response = getattr(one, "response", None)
        said = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
        own = one.status if hasattr(one, "status") else getattr(one, "code", None)
        found |= {number for number in (own, said.get("HTTPStatusCode")) if isinstance(number, int)}
    return found


def _passes(error: Exception) -> bool:
    if found := statuses(error):
        return bool(found & PASSING)
    names = {base.__name__ for one in _chain(error) for base in type(one).__mro__}
    # aiohttp's and botocore's own, by name: neither need be installed.
    passing = {"ClientConnectionError", "ClientPayloadError", "ConnectionError", "HTTPClientError"}
    return bool(names & passing) or any(
        isinstance(one, TimeoutError | BlockingIOError) for one in _chain(error)
    )


def _cause(error: Exception) -> str:
    if isinstance(error, PermissionError) or statuses(error) & {401, 403}:
        return "access denied; check the credentials that the environment or the platform gives"
    if any(type(one).__name__ == "NoCredentialsError" for one in _chain(error)):
        return "no credentials; set them in the environment, as for your cloud's own tools"
    return scrubbed(str(error))[:200] or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__
