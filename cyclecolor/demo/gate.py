"""What may come through to the page: requests that it makes itself, and nothing else.

Gradio offers far more than this page uses: calls by name, a proxy, and files by address, which its server
would fetch. Behind this gate there is none of it, and no other site can make a visitor's browser ask.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

API = "/gradio_api"
READ = ("/assets/", "/static/", "/svelte/", f"{API}/heartbeat/", f"{API}/file=")  # what paths begin with
READ_WHOLE = {
    *("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json"),
    *(f"{API}/{name}" for name in ("queue/data", "upload_progress", "info", "app_id", "startup-events")),
}
WRITE = {f"{API}/{name}" for name in ("queue/join", "upload", "cancel", "reset")}
MOST_JSON = 1 << 20  # bytes of an event; photos are uploaded before
HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        b"style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
        b"form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class Refused(Exception):
    """A request that is not let through: HTTP status and a word why."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


class Gate:
    """An ASGI application around the page's.

    Parameters
    ----------
    app
        The page.
    hosts : set of str
        By which names the page may be asked for; others are those of a site that points its name here.
    most_bytes : int
        Of an upload.
    """

    def __init__(self, app: App, *, hosts: set[str], most_bytes: int):
        self.app, self.hosts, self.most_bytes = app, hosts, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        try:
            if scope["type"] != "http":
                raise Refused(404, "not found")
            self._check_sender(scope)
            _check_path(scope)
            body = await self._checked_body(scope, receive)
        except Refused as refused:
            await _answer(send, refused)
            return
        await self.app(scope, _replayed(body, receive) if body else receive, _with_headers(send))

    def _check_sender(self, scope: Scope) -> None:
        host = _header(scope, b"host")
        if _name_of(f"//{host}") not in self.hosts:
            raise Refused(403, "asked for by another name")
        origin = _header(scope, b"origin")
        if origin and urlsplit(origin).netloc != host:
            raise Refused(403, "asked for by another site")

    async def _checked_body(self, scope: Scope, receive: Receive) -> bytes:
        """The body of an event; of an upload none, whose length alone is looked at."""
        if scope["method"] != "POST":
            return b""
        length = _header(scope, b"content-length")
        if not length.isdigit():
            raise Refused(411, "of unknown length")
        upload = scope["path"] == f"{API}/upload"
        if int(length) > (self.most_bytes if upload else MOST_JSON):
            raise Refused(413, "too large")
        return b"" if upload else _checked_event(await _read(receive, int(length)))


def _check_path(scope: Scope) -> None:
    path, method = scope["path"], scope["method"]
    known = path in WRITE if method == "POST" else path in READ_WHOLE or path.startswith(READ)
    if method not in ("GET", "HEAD", "POST") or not known:
        raise Refused(404, "not found")
    if ".." in path or "\\" in path or "\0" in path or _is_address(path.partition("file=")[2]):
        raise Refused(403, "not a file of this page")


def _checked_event(body: bytes) -> bytes:
    """An event names files by their place alone; whether they were uploaded here, Gradio checks."""
    try:
        event = json.loads(body)
        if any(_is_address(path) for path in _paths(event)):
            raise Refused(403, "addresses are not taken; upload the file")
    except (ValueError, RecursionError):
        raise Refused(400, "no event") from None
    return body


def _paths(value: Any) -> Iterator[str]:
    """Every text called `path`, at any depth."""
    if isinstance(value, dict):
        yield from (text for key, text in value.items() if key == "path" and isinstance(text, str))
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _paths(part)


def _is_address(text: str) -> bool:
    scheme, colon, _ = text.strip().partition(":")
    return bool(colon) and len(scheme) > 1 and scheme.isalnum()


def _header(scope: Scope, name: bytes) -> str:
    """The only one of that name; two are as good as none."""
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return found[0] if len(found) == 1 else ""


def _name_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


async def _read(receive: Receive, length: int) -> bytes:
    body, more = b"", True
    while more and len(body) <= length:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What a receiver gives whose body was read already."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _with_headers(send: Send) -> Send:
    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await send(message)

    return send_more


async def _answer(send: Send, refused: Refused) -> None:
    body = f"{refused}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
