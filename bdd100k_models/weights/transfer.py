"""Files fetched over HTTP: whole or not at all, going on where an earlier try stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from bdd100k_models.errors import UserError
from bdd100k_models.files import LockedError, hold, write_json
from bdd100k_models.weights.digests import md5, read_md5, verify, verify_sha256, write_md5

if TYPE_CHECKING:
    from requests import Response

Report = Callable[[str], None]
#: Looks at a file that came, by its path and what to call it; raises a UserError if it is wrong.
Check = Callable[[Path, str], object]

#: Seconds to connect, and between two pieces of a download.
_TIMEOUT = (10, 60)
#: Seconds without a byte after which it is said that the server is slow.
_QUIET = 10.0
_ATTEMPTS = 3
_CHUNK = 1 << 16

#: The bytes of a file must be those on the server: compressed ones could not be taken up again.
_AS_IT_IS = {"Accept-Encoding": "identity"}


class NotFoundError(UserError):
    """A place that has no such file, a damaged one, or does not answer: the next one may."""


class _InterruptedError(Exception):
    """A transfer that may be taken up again."""


def is_url(text: str) -> bool:
    """``http://`` or ``https://``, and what follows can be an address."""
    try:
        return urlparse(text).scheme in ("http", "https")
    except ValueError:
        return False


def fetch(
    url: str,
    target: Path,
    report: Report = print,
    *,
    digest: str | None = None,
    sha256: str | None = None,
    check: Check | None = None,
) -> Path:
    """Download ``url`` to ``target``, with progress, going on where an earlier try stopped.

    The MD5 is ``digest``, else, where ``sha256`` (its first digits) is not known either, read from
    ``.md5`` beside the file (``NAME.pth`` -> ``NAME.md5``) if the server has one, and compared;
    that of the file is kept beside ``target``. The file appears under its name only when it is
    whole, has these digests and passed ``check``. Of several processes that want it one downloads,
    the others wait. A file that changed on the server meanwhile is fetched anew.

    Raises:
        NotFoundError: the server does not answer, has no such file, or what came is damaged.
        UserError: the file cannot be written, or the one that is there is damaged.
    """
    part = _Part(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target, report):
            if target.is_file():
                verify(target, digest, sha256)
            else:
                _fetch(url, part, report, digest, sha256, check)
    except OSError as error:
        raise UserError(
            f"cannot write {target}: {error.strerror or error}; choose a place with room, for the "
            "store with BDD100K_MODELS_HOME"
        ) from error
    return target


@contextmanager
def _alone(target: Path, report: Report) -> Iterator[None]:
    """Hold the download of ``target``, as long as another process does not."""
    lock = target.with_name(target.name + ".lock")
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(lock, f"another process downloads {target.name}"))
        except LockedError as error:
            report(f"{error}; waiting for it")
            stack.enter_context(hold(lock, "", wait=True))
        yield


class _Part:
    """An unfinished download of ``target``, and which version of the file it is a part of."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._version = target.with_name(target.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self, url: str) -> str | None:
        """The ETag or date of the file that this is a part of; None where it is not known."""
        try:
            known = json.loads(self._version.read_bytes())
        except (OSError, ValueError):
            return None
        same = isinstance(known, dict) and known.get("url") == url
        return str(known["version"]) if same and known.get("version") else None

    def begin(self, url: str, answer: Response) -> None:
        """Remember which version of the file the server sends."""
        # A weak ETag stands for content that is alike, not for the same bytes.
        etag = answer.headers.get("ETag", "")
        version = etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")
        self.remove()
        write_json(self._version, {"url": url, "version": version})

    def remove(self) -> None:
        """Begin anew."""
        for path in (self.path, self._version):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def finish(self, digest: str) -> None:
        """The whole file takes its name."""
        write_md5(self.target, digest)
        os.replace(self.path, self.target)
        self.remove()


def _fetch(
    url: str,
    part: _Part,
    report: Report,
    digest: str | None,
    sha256: str | None,
    check: Check | None,
) -> None:
    if digest is None and sha256 is None:
        digest = _published_md5(url, report)
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _download(url, part, report)
            break
        except _InterruptedError as error:
            if attempt == _ATTEMPTS:
                kept = f"; {part.size} bytes are kept and the next try goes on from there"
                raise NotFoundError(f"{url}: {error}{kept if part.size else ''}") from error
            time.sleep(attempt)
    actual = md5(part.path)
    try:
        if digest is not None and actual != digest:
            raise UserError(
                f"{url} is damaged: its MD5 is {actual}, published is {digest}; removed, try again"
            )
        if sha256 is not None:
            verify_sha256(part.path, sha256, url)
        if check is not None:
            check(part.path, url)
    except UserError as error:
        part.remove()
        raise NotFoundError(str(error)) from error
    if digest is None and sha256 is None:
        report(f"note: {url} has no .md5 beside it, so the file could not be verified")
    part.finish(actual)


def _download(url: str, part: _Part, report: Report) -> None:
    """Append to ``part`` what is missing of ``url``."""
    import requests
    from urllib3.exceptions import ReadTimeoutError

    version = part.version(url)
    if version is None:
        part.remove()
    have = part.size
    # A server whose file is another one by now answers with the whole of that.
    headers = {"Range": f"bytes={have}-", "If-Range": version or ""} if have else {}
    answered = False
    try:
        with (
            _Patience(url, report) as patience,
            requests.get(
                url, headers={**_AS_IT_IS, **headers}, stream=True, timeout=_TIMEOUT
            ) as answer,
        ):
            if answer.status_code == 416 and have:
                if _total(answer) == have:
                    return
                part.remove()
                raise _InterruptedError("the file on the server changed")
            if answer.status_code >= 500:
                raise _InterruptedError(f"the server answered {answer.status_code}")
            if answer.status_code not in (200, 206):
                raise NotFoundError(f"{url}: the server answered {answer.status_code}")
            if answer.status_code == 206 and _start(answer) != have:
                part.remove()
                raise _InterruptedError("the server sent another part than it was asked for")
            if answer.status_code == 200:
                part.begin(url, answer)
            answered = True
            report(f"downloading {url}")
            expected = _receive(answer, part, patience)
    except requests.exceptions.ConnectionError as error:
        if answered:
            # requests has no error of its own for a body that stops.
            hangs = error.args and isinstance(error.args[0], ReadTimeoutError)
            what = "the server stopped sending" if hangs else "the connection broke"
            raise _InterruptedError(what) from error
        raise NotFoundError(f"{url}: no answer from the server") from error
    except requests.exceptions.Timeout as error:
        raise _InterruptedError("the server stopped sending") from error
    except (
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ) as error:
        raise _InterruptedError("the transfer broke") from error
    except requests.exceptions.RequestException as error:
        raise NotFoundError(f"{url}: {str(error) or type(error).__name__}") from error
    if expected is not None and part.size < expected:
        raise _InterruptedError(f"only {part.size} of {expected} bytes came")


def _receive(answer: Response, part: _Part, patience: _Patience) -> int | None:
    """Append the body to ``part``; gives the size of the whole file, where the server says it."""
    from tqdm import tqdm

    have = part.size
    length = answer.headers.get("Content-Length", "")
    # The length of a body that was compressed all the same is not that of the file.
    told = length.isdigit() and answer.headers.get("Content-Encoding", "identity") == "identity"
    expected = have + int(length) if told else None
    with (
        open(part.path, "ab") as file,
        tqdm(total=expected, initial=have, unit="B", unit_scale=True, disable=None) as bar,
    ):
        for piece in answer.iter_content(_CHUNK):
            patience.renew()
            file.write(piece)
            bar.update(len(piece))
    return expected


def _start(answer: Response) -> int | None:
    """The first byte of a part, counted from 0."""
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(match.group(1)) if match else None


def _total(answer: Response) -> int | None:
    """The size of the whole file, as the answer to a range that it lacks tells it."""
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


class _Patience:
    """Says that nothing comes from a server, while one waits for it."""

    def __init__(self, url: str, report: Report) -> None:
        self._host = urlparse(url).netloc
        self._report = report
        self._came = time.monotonic()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> _Patience:
        self._watch.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._watch.join()

    def renew(self) -> None:
        """Something came."""
        self._came = time.monotonic()

    def _tell(self) -> None:
        told = 0.0
        while not self._over.wait(_QUIET / 4):
            if self._came > told and time.monotonic() - self._came >= _QUIET:
                told = time.monotonic()
                self._report(
                    f"{self._host} has sent nothing for {_QUIET:.0f} s; "
                    f"waiting for it, {_TIMEOUT[1]} s at most"
                )


def _published_md5(url: str, report: Report) -> str | None:
    import requests

    beside = re.sub(r"\.pth$", "", url) + ".md5"
    try:
        with (
            _Patience(beside, report),
            requests.get(beside, headers=_AS_IT_IS, stream=True, timeout=_TIMEOUT) as answer,
        ):
            return read_md5(next(answer.iter_content(_CHUNK), b"")) if answer.ok else None
    except requests.exceptions.RequestException:
        return None
