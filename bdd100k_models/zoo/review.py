"""What is wrong with an entry of the catalogue, as far as its own lines and files tell.

Whether config, weights and scores bear it out is asked in ``engine.claims`` and
``evaluation.claims``. Neither torch nor any OpenMMLab package is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlparse

from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo import catalogue
from bdd100k_models.zoo.catalogue import PublishedModel
from bdd100k_models.zoo.public import digits_of
from bdd100k_models.zoo.tasks import name_endings

#: Metrics that are counts, not percentages.
COUNTS = ("ID Sw.",)
#: Metrics that may fall below zero.
_SIGNED = ("mMOTA", "mMOTSA")

_NAME = re.compile(r"[a-z0-9][a-z0-9+._-]*")
#: What a name says of the schedule, and the column that says it too.
_SCHEDULES = (
    ("Lr schd", re.compile(r"_(\d+x)_")),
    ("Iters", re.compile(r"_(\d+k)_")),
)
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?")


def problems(model: PublishedModel, root: Path = REPOSITORY) -> list[str]:
    """What is wrong with the entry of a model, a line each; empty when nothing is.

    Of models that other code bases run, only the links are looked at.
    """
    if model.framework is not None:
        return _links(model)
    checks = [
        _config(model, root),
        _name(model),
        _metrics(model),
        _columns(model, catalogue.load(root / "model-index.yml").values()),
        _weights(model),
        _links(model),
        _cost(model),
        public_problems(model),
    ]
    return [problem for found in checks for problem in found]


def find(name: str, root: Path = REPOSITORY) -> PublishedModel:
    """The entry of a name.

    Raises:
        UserError: there is none.
    """
    models = catalogue.load(root / "model-index.yml")
    if name not in models:
        raise UserError(
            f"no metafile.yml has an entry named {name!r}; tools/model_card.py --new {name} "
            "prints one to begin with"
        )
    return models[name]


def _config(model: PublishedModel, root: Path) -> list[str]:
    if model.config is None:
        return [f"Config: {model.source} is not a file below {model.task}/configs/"]
    if not (root / model.config).is_file():
        return [f"Config: there is no {model.config}"]
    if Path(model.config).stem != model.name:
        return [f"Config: {model.config} must be named like the model, {model.name}.py"]
    return []


def _name(model: PublishedModel) -> list[str]:
    endings = name_endings(model.task)
    if not _NAME.fullmatch(model.name) or not model.name.endswith(endings):
        return [
            f"Name: {model.name} must be of small letters, digits and + . _ -, and end in "
            f"{' or '.join(endings)}"
        ]
    found = []
    for column, pattern in _SCHEDULES:
        said, told = pattern.search(model.name), model.columns.get(column)
        if said and told is not None and said[1] != told.lower():
            found.append(f"Metadata: {column} is {told}, the name says {said[1]}")
    return found


def _metrics(model: PublishedModel) -> list[str]:
    found = []
    if not any(metric.endswith("-val") for metric in model.metrics):
        found.append("Results: a metric on the validation split (…-val) is needed")
    for metric, value in model.metrics.items():
        if metric.startswith(COUNTS):
            if not 0 <= value < float("inf") or value != int(value):
                found.append(f"Results: {metric} is {value}, it counts something")
        elif not (-100 if metric.startswith(_SIGNED) else 0) <= value <= 100:
            found.append(f"Results: {metric} is {value}, metrics are percentages")
        elif value == 0:
            found.append(f"Results: {metric} is 0; fill in what the official evaluator found")
        elif 0 < value < 1:
            found.append(f"Results: {metric} is {value}; is that a fraction? Write percent")
    return found


def _columns(model: PublishedModel, models: Iterable[PublishedModel]) -> list[str]:
    for other in models:
        same_table = (other.task, other.method, other.tag, other.framework) == (
            model.task,
            model.method,
            model.tag,
            model.framework,
        )
        if same_table and other is not model and list(other.columns) != list(model.columns):
            return [
                f"Metadata and Results: the columns are {', '.join(model.columns)}, "
                f"the table of {model.method} has {', '.join(other.columns)}"
            ]
    return []


def _weights(model: PublishedModel) -> list[str]:
    if model.weights is None:
        return ["Weights: the URL of the checkpoint is missing"]
    found = []
    if not model.weights.startswith("https://"):
        found.append(f"Weights: {model.weights} is no https:// URL")
    if model.md5 is None and "md5" not in model.links:
        found.append("MD5: missing; tools/publish_model.py prints it, and so does md5sum")
    if PurePosixPath(urlparse(model.weights).path).suffix != ".pth":
        found.append(f"Weights: {model.weights} must end in .pth")
    return found


def links(model: PublishedModel) -> Iterator[tuple[str, str]]:
    """Every URL that an entry and its collection name, with the key that it stands under."""
    yield "Paper", model.paper.url
    if model.code is not None:
        yield "Code", model.code
    for author in model.authors:
        if author.url is not None:
            yield f"Authors: {author.name}", author.url
    for kind, url in model.links.items():
        if kind != "weights":
            yield f"Links: {kind}", url


def _links(model: PublishedModel) -> list[str]:
    return [f"{key}: {url} is no URL" for key, url in links(model) if not well_formed(url)]


def well_formed(url: str) -> bool:
    """``http://`` or ``https://``, a host with a dot in it, and no blank."""
    try:
        parts = urlparse(url)
    except ValueError:
        return False
    web = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc) is not None
    return web and not re.search(r"\s", url)


def _cost(model: PublishedModel) -> list[str]:
    if model.cost is None:
        return [f"Cost: missing; python tools/model_card.py --costs {model.name} writes it"]
    return []


def public_problems(model: PublishedModel) -> list[str]:
    """What is wrong with what the entry of a model says of weights of others."""
    source = model.public
    if source is None:
        return []
    found = []
    for url in source.urls:
        if not well_formed(url):
            found.append(f"Public: {url} is no URL")
        elif digits_of(url) not in (None, (source.sha256 or "")[:8]):
            found.append(f"Public: {url} and {source.urls[0]} are different files by their names")
    known = source.classes(model.tag or model.task)
    if source.fit == "identical" and known is not None and known.missing:
        found.append(f"Public: not identical: {', '.join(known.missing)} have no source")
    if source.fit in ("identical", "rows") and known is None:
        found.append(
            f"Public: no table tells what the classes of {source.dataset} are in those of "
            f"{model.tag or model.task}; add one to zoo/public_classes.py"
        )
    return found
