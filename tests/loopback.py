"""A real server on the loopback interface, with faults to order."""

from __future__ import annotations

import email.utils
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@dataclass
class Server:
    """Files below ``root`` at ``url``, with byte ranges and ETags, and faults to order.

    Attributes:
        requests: headers of each request, with ``path``.
        cut: bytes after which the next ``.pth`` ends early, as when a connection breaks.
        changed: content that a file takes once a body was cut.
        headers: headers that replace the server's own; None leaves one out.
        status: answers to ``.pth`` before the ordinary ones.
        hang: seconds to wait before the body.
    """

    root: Path
    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    cut: int = 0
    changed: bytes | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    status: list[int] = field(default_factory=list)
    hang: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def put(self, name: str, content: bytes, md5: str | None = "") -> None:
        """A file, with ``.md5`` beside it: its own, another, or None."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if md5 is not None:
            digest = md5 or hashlib.md5(content).hexdigest()
            path.with_suffix(".md5").write_text(f"{digest}  {path.name}\n")

    def asked(self, suffix: str = ".pth") -> list[dict[str, str]]:
        """The requests for files that end so."""
        return [request for request in self.requests if request["path"].endswith(suffix)]


class Handler(SimpleHTTPRequestHandler):
    """Answers as :class:`Server` says."""

    def __init__(self, *arguments: object, server_: Server, **options: object) -> None:
        self.told = server_
        super().__init__(*arguments, **options)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        told, wanted = self.told, self.headers.get("Range")
        told.requests.append({"path": self.path, **dict(self.headers)})
        path = Path(self.translate_path(self.path))
        is_weights = path.suffix in (".pth", ".safetensors")
        if is_weights and told.status:
            self.answer(told.status.pop(0), b"", {})
            return
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        etag = f'"{hashlib.sha1(body).hexdigest()}"'
        headers: dict[str, str | None] = {
            "ETag": etag,
            "Last-Modified": email.utils.formatdate(path.stat().st_mtime, usegmt=True),
        }
        own = {etag, headers["Last-Modified"]}
        if wanted and self.headers.get("If-Range") in own:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                return
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.answer(206, body[start:], headers)
        else:
            self.answer(200, body, headers)
        if is_weights and told.changed is not None:
            path.write_bytes(told.changed)
            told.changed = None

    def answer(self, status: int, body: bytes, headers: dict[str, str | None]) -> None:
        self.send_response(status)
        sent = {"Content-Length": str(len(body)), **headers}
        if self.path.endswith((".pth", ".safetensors")):
            sent |= self.told.headers
            if self.told.cut and body:
                body, self.told.cut = body[: self.told.cut], 0
        for name, value in sent.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.told.hang and body:
            self.told.over.wait(self.told.hang)
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    told = Server(tmp_path / "server")
    told.root.mkdir()
    handler = partial(Handler, server_=told, directory=str(told.root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        told.url = f"http://127.0.0.1:{httpd.server_port}"
        yield told
        told.over.set()
        httpd.shutdown()
        thread.join()
