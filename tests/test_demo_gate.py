"""The gate before the page: what the page asks for comes through, hostile requests do not (promise W1)."""

import asyncio
import json

import pytest

from cyclecolor.demo.gate import MOST_JSON, Gate

HOST = "127.0.0.1:7860"


def ask(method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes = b"") -> tuple:
    """Status, body and headers of the answer, and what the page behind the gate was given."""
    got, sent = [], []

    async def page(scope, receive, send):
        got.append((await receive()).get("body", b"") if method == "POST" else b"")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})

    parts = [
        {"type": "http.request", "body": body[:7], "more_body": True},
        {"type": "http.request", "body": body[7:]},
    ]

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    all_headers = {"host": HOST, "content-length": str(len(body)), **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in all_headers.items() if value is not None]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    asyncio.run(Gate(page, hosts={"127.0.0.1", "localhost"}, most_bytes=1 << 27)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"]), got


def event(path: str) -> bytes:
    return json.dumps(
        {"data": [[{"path": path, "meta": {"_type": "gradio.FileData"}}]], "fn_index": 0}
    ).encode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/assets/index.js"),
        ("HEAD", "/config"),
        ("GET", "/gradio_api/file=/tmp/cyclecolor-1/files/a/photo.jpg"),
        ("GET", "/gradio_api/queue/data"),
    ],
)
def test_what_the_page_asks_for_comes_through(method, path):
    status, _, headers, got = ask(method, path)
    assert (status, len(got)) == (200, 1)
    assert b"default-src 'self'" in headers[b"content-security-policy"]


def test_an_event_comes_through_as_it_was():
    body = event("/tmp/cyclecolor-1/files/a/photo: one.jpg")
    headers = {"origin": f"http://{HOST}"}
    status, _, _, got = ask("POST", "/gradio_api/queue/join", headers=headers, body=body)
    assert (status, got) == (200, [body])


def test_an_upload_comes_through_unread():
    status, _, _, got = ask("POST", "/gradio_api/upload", body=b"0123456789")
    assert (status, got) == (200, [b"0123456"])  # its first part


HOSTILE = {
    "a file by a path that climbs": ("GET", "/gradio_api/file=/tmp/../etc/passwd", {}, b"", 403),
    "a file by an inner address": ("GET", "/gradio_api/file=http://169.254.169.254/latest", {}, b"", 403),
    "a file by another kind of address": ("GET", "/gradio_api/file=file:///etc/passwd", {}, b"", 403),
    "the proxy": ("GET", "/gradio_api/proxy=http://127.0.0.1:22/", {}, b"", 404),
    "a call by name": ("POST", "/gradio_api/call/color_one", {}, b"{}", 404),
    "a run by name": ("POST", "/gradio_api/run/color_one", {}, b"{}", 404),
    "a component's method": ("POST", "/gradio_api/component_server", {}, b"{}", 404),
    "deletion": ("DELETE", "/gradio_api/upload", {}, b"", 404),
    "200 MB": ("POST", "/gradio_api/upload", {"content-length": str(200 << 20)}, b"", 413),
    "no length": ("POST", "/gradio_api/upload", {"content-length": None}, b"", 411),
    "a long event": ("POST", "/gradio_api/queue/join", {"content-length": str(MOST_JSON + 1)}, b"", 413),
    "an event with an address": ("POST", "/gradio_api/queue/join", {}, event("http://10.0.0.1/a.jpg"), 403),
    "one hidden by blanks": ("POST", "/gradio_api/queue/join", {}, event(" HTTP://10.0.0.1/a.jpg"), 403),
    "no event": ("POST", "/gradio_api/queue/join", {}, b"{", 400),
    "a nest": ("POST", "/gradio_api/queue/join", {}, b"[" * 200_000, 400),
    "another site": ("POST", "/gradio_api/queue/join", {"origin": "http://evil.example"}, event("/a"), 403),
    "no origin": ("POST", "/gradio_api/queue/join", {"origin": "null"}, event("/a"), 403),
    "another port": ("POST", "/gradio_api/queue/join", {"origin": "http://127.0.0.1:1"}, event("/a"), 403),
    "another name": ("GET", "/", {"host": "evil.example:7860"}, b"", 403),
    "no name": ("GET", "/", {"host": None}, b"", 403),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_requests_do_not(what):
    method, path, headers, body, expected = HOSTILE[what]
    status, answer, _, got = ask(method, path, headers=headers, body=body)
    assert (status, got) == (expected, [])
    assert b"Traceback" not in answer


def test_no_websockets():
    messages = []

    async def send(message):
        messages.append(message)

    async def page(*_):
        raise AssertionError

    scope = {"type": "websocket", "path": "/", "headers": [(b"host", HOST.encode())]}
    asyncio.run(Gate(page, hosts={"127.0.0.1"}, most_bytes=1)(scope, None, send))
    assert messages[0]["status"] == 404
