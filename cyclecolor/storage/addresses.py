"""Addresses such as `s3://bucket/in`, and texts about them, without what is secret in them."""

import os
import re
from typing import Self

from ..errors import CycleColorError
from ..files import shown

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # two letters at least: C:// is a disk
_ADDRESS = re.compile(_SCHEME.pattern + r"[^\s'\"<>]*")
_PARAMETER = re.compile(
    r"(?i)\b([\w-]*(?:signature|credential|token|secret|password|key(?:-?id)?)=)[^\s&'\",)]+"
)
_SECRET_NAMES = re.compile(r"(?i)secret|token|password|access_?key|account_?key|connection_?string")


class Address(str):
    """The address of files that are not named by a path of this machine."""

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The address that a text is, if it is one.

        Raises
        ------
        CycleColorError
            If it holds a name and a password: these do not belong where everybody can read them.
        """
        if not _SCHEME.match(text):
            return None
        if "@" in text.split("://", 1)[1].split("/", 1)[0]:
            raise CycleColorError(
                f"{shown_address(text)}: leave name and password out; they come from the environment, "
                "or from where your cloud's own tools keep them",
                exit_code=2,
            )
        return cls(text)

    @property
    def scheme(self) -> str:
        """What stands before the colon, in lower case."""
        return self.partition("://")[0].lower()


def shown_address(address: str) -> str:
    """For messages: without name and password, and without what follows a question mark, as signatures do."""
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    host, path = host.rpartition("@")[2].partition("?")[0], path.partition("?")[0].partition("#")[0]
    return shown(f"{scheme}://{host}{slash}{path}")


def scrubbed(text: str) -> str:
    """What a library says, on one line, without secrets: of addresses, of parameters, of the environment."""
    text = _ADDRESS.sub(lambda found: shown_address(found[0]), " ".join(text.split()))
    text = _PARAMETER.sub(r"\1...", text)
    for name, value in os.environ.items():
        if len(value) > 7 and _SECRET_NAMES.search(name):
            text = text.replace(value, "...")
    return text
