"""Which of the catalogue's files can be had now, and from where."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlparse

from bdd100k_models.weights.store import (
    public_places,
    published_places,
    stored_path,
    stored_public,
    torch_copies,
)
from bdd100k_models.weights.transfer import is_url

if TYPE_CHECKING:
    from requests import Response

    from bdd100k_models.zoo.catalogue import PublishedModel
    from bdd100k_models.zoo.public import PublicSource

#: Seconds to connect, and to wait for the first byte.
_TIMEOUT = (5, 15)
#: Requests at a time.
_AT_ONCE = 16

Kind = Literal["published", "public"]


@dataclass(frozen=True)
class WantedFile:
    """Weights that models of the catalogue need.

    Attributes:
        name: what the file is called in the store.
        kind: those that were published, or public ones of others.
        places: URLs and paths of mirrors, in the order in which they are asked.
        stored: where the store keeps it, there or not.
        models: names of those that need it.
    """

    name: str
    kind: Kind
    places: tuple[str, ...]
    stored: Path
    models: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What a place said when it was asked for a file.

    Attributes:
        place: URL or path.
        found: whether it has the file.
        reason: what it said, in a few words.
        size: bytes, where it told.
    """

    place: str
    found: bool
    reason: str
    size: int | None = None

    @property
    def host(self) -> str:
        """Whom the place belongs to."""
        return urlparse(self.place).netloc if is_url(self.place) else "this machine"


@dataclass
class _Hosts:
    """Hosts that did not answer once are not asked for each of their files."""

    lost: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def why_lost(self, host: str) -> str | None:
        with self.lock:
            return self.lost.get(host)

    def lose(self, host: str, reason: str) -> None:
        with self.lock:
            self.lost[host] = reason


def wanted_files(models: Iterable[PublishedModel]) -> list[WantedFile]:
    """The weights of models, published and public; each file once."""
    files: dict[tuple[Kind, Path], tuple[tuple[str, ...], list[str]]] = {}
    for model in models:
        if model.weights is not None:
            key: tuple[Kind, Path] = ("published", stored_path(model))
            files.setdefault(key, (tuple(published_places(model)), []))[1].append(model.name)
        if model.public is not None:
            key = ("public", stored_public(model.public))
            files.setdefault(key, (_public_places(model.public), []))[1].append(model.name)
    return [
        WantedFile(stored.name, kind, places, stored, tuple(names))
        for (kind, stored), (places, names) in files.items()
    ]


def _public_places(source: PublicSource) -> tuple[str, ...]:
    """Those of a source; what torch may have downloaded only where it has."""
    copies = torch_copies(source)
    places = public_places(source)
    return tuple(place for place in places if place not in copies or Path(place).is_file())


def ask(files: Sequence[WantedFile]) -> Iterator[tuple[WantedFile, list[Answer]]]:
    """What each place of each file says, in order; many are asked at a time, none for the bytes."""
    hosts = _Hosts()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting = [
            (file, [pool.submit(_ask, place, hosts) for place in file.places]) for file in files
        ]
        try:
            for file, answers in waiting:
                yield file, [answer.result() for answer in answers]
        finally:
            pool.shutdown(cancel_futures=True)


def ask_links(links: Iterable[str]) -> Iterator[Answer]:
    """What the address of each link says, in order; web pages count as found."""
    hosts = _Hosts()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(lambda link: _ask(link, hosts, pages=True), links)


def _ask(place: str, hosts: _Hosts, pages: bool = False) -> Answer:
    if not is_url(place):
        path = Path(place).expanduser()
        there = path.is_file()
        size = path.stat().st_size if there else None
        return Answer(place, there, "there" if there else "no such file", size)
    import requests

    host = urlparse(place).netloc
    lost = hosts.why_lost(host)
    if lost is not None:
        return Answer(place, False, lost)
    try:
        answer = requests.head(place, allow_redirects=True, timeout=_TIMEOUT)
        if answer.status_code in (400, 403, 405, 501):  # where nobody may ask for the head alone
            head = {"Range": "bytes=0-0"}
            with requests.get(place, headers=head, stream=True, timeout=_TIMEOUT) as answer:
                return _told(place, answer, pages)
        return _told(place, answer, pages)
    except requests.exceptions.SSLError:
        reason = "its certificate is not valid"
    except requests.exceptions.ConnectTimeout:
        reason = "no answer"
    except requests.exceptions.ConnectionError as error:
        unknown = "NameResolution" in str(error) or "Name or service" in str(error)
        reason = "no such host" if unknown else "no answer"
    except requests.exceptions.Timeout:
        return Answer(place, False, "no answer in time")
    except requests.exceptions.RequestException as error:
        return Answer(place, False, type(error).__name__)
    hosts.lose(host, reason)
    return Answer(place, False, reason)


def _told(place: str, answer: Response, pages: bool) -> Answer:
    page = not pages and answer.headers.get("Content-Type", "").startswith("text/html")
    if answer.status_code not in (200, 206) or page:
        reason = "a web page" if answer.ok else f"answers {answer.status_code}"
        return Answer(place, False, reason)
    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
    total = total or answer.headers.get("Content-Length", "")
    return Answer(place, True, "answers", int(total) if total.isdigit() else None)
