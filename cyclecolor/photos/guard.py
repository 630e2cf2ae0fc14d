"""Whatever goes wrong inside Pillow leaves as a `PhotoError`; it keeps quiet about the rest."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from .photo import PhotoError

_lock = threading.Lock()
_inside = 0
_silence: warnings.catch_warnings | None = None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's own warnings (odd tags, malformed MPO...) while any thread is inside.

    `warnings.catch_warnings` alone is not for threads: interleaved exits would leave the filters of
    one of them behind for ever. So the first thread in installs the filter, the last one out takes
    it away.
    """
    global _inside, _silence
    with _lock:
        if _inside == 0:
            _silence = warnings.catch_warnings()
            _silence.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _silence is not None:
                _silence.__exit__(None, None, None)


class Refused(Exception):
    """Why a photo is refused, said where its name is not known: `refusing` makes a `PhotoError` of it.

    Attributes
    ----------
    reason : str
        As in `PhotoError`.
    """

    def __init__(self, reason: str, text: str):
        super().__init__(text)
        self.reason = reason


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse what has too many pixels."""
    if width * height > max_pixels:
        raise Refused(
            "too-many-pixels",
            f"{width} x {height} is more than {max_pixels:,} pixels; "
            "raise the limit (--max-pixels) if the picture can be trusted",
        )


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Turn every exception but `PhotoError` into a `PhotoError` about the photo called `name`.

    Damaged files make Pillow raise OSError, SyntaxError, ValueError, KeyError, RuntimeError,
    zlib.error... (a list that grows with each fuzzer), so this catches `Exception`: one bad file
    must not stop a folder.
    """
    try:
        with quiet_pillow():
            yield
    except PhotoError:
        raise
    except Refused as error:
        raise PhotoError(f"{name}: {error}", reason=error.reason) from error
    except Exception as error:
        raise _refusal(name, error) from error


def _refusal(name: str, error: Exception) -> PhotoError:
    cause = " ".join(str(error).split())[:160] or type(error).__name__
    if isinstance(error, MemoryError):
        return PhotoError(
            f"{name}: not enough memory for this picture; free some, or scale it down",
            reason="too-many-pixels",
        )
    # Only the system's own errors carry an errno; Pillow raises bare OSErrors about
    # what is in the file.
    if isinstance(error, OSError) and error.errno is not None:
        cause = error.strerror or cause
        return PhotoError(
            f"{name}: cannot be read: {cause}; check the path and its permissions",
            reason="unreadable",
        )
    lowered = cause.lower()
    if any(word in lowered for word in ("truncated", "unexpected end", "not enough image data")):
        return PhotoError(f"{name}: cut short ({cause}); copy or scan it again", reason="truncated")
    if any(word in lowered for word in ("unknown", "supported", "cannot handle")):
        return PhotoError(
            f"{name}: a variant that cannot be read ({cause}); save it anew in another program",
            reason="unsupported",
        )
    return PhotoError(f"{name}: damaged ({cause}); copy or scan it again", reason="broken")
