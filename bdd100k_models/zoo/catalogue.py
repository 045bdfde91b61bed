"""The published models, read from ``model-index.yml`` and the ``metafile.yml`` of each task.

The files have the OpenMMLab model-index form. A fact stands there once; what follows from it is
derived here: the files that the zoo's server keeps beside the weights, the tag that a tagging
model predicts, the table columns. Neither torch nor any OpenMMLab package is imported.
"""

import fnmatch
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from bdd100k_models.errors import UserError, nearest
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo.public import DATASET_TERMS, FITS, PublicSource, digits_of
from bdd100k_models.zoo.tasks import facts

#: The server of the published models; every published file is below it.
SERVER = "https://dl.cv.ethz.ch/bdd100k"

#: Kind of link -> folder and suffix of the file on the server, beside ``models/NAME.pth``.
SERVER_FILES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "scores-val": ("scores-val", ".json"),
        "scores-test": ("scores-test", ".json"),
        "weights": ("models", ".pth"),
        "md5": ("models", ".md5"),
        "preds": ("preds", ".json"),
        "masks": ("preds", ".zip"),
        "visuals": ("visuals", ".zip"),
    }
)

_METRIC = re.compile(r"-(val|test)$")
_MD5 = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{8,64}")
_SIZE = re.compile(r"([1-9]\d*)x([1-9]\d*)")
_COLLECTION_KEYS = {"Name", "Paper", "Code", "README"}
_MODEL_KEYS = {
    "Name",
    "Alias",
    "In Collection",
    "Framework",
    "Code",
    "Config",
    "Metadata",
    "Results",
    "Weights",
    "MD5",
    "Cost",
    "Masks",
    "Links",
    "Reconstructed",
    "Source",
    "Public",
    "Runs As",
}
_PUBLIC_KEYS = {
    "Weights",
    "SHA256",
    "Config",
    "Dataset",
    "Metric",
    "Fit",
    "Rename",
    "Taken",
    "Left Out",
    "Options",
    "Note",
}
_COST_KEYS = {"Parameters", "GFLOPs", "Input"}
#: How YAML writes that there is nothing; read as text, it must not become a name.
_NULLS = {"", "~", "null", "Null", "NULL"}
#: Only these turn into marks: a plain word such as ``no`` stays what it is.
_CHECK_MARKS = {"true": "✓", "false": ""}


@dataclass(frozen=True)
class Author:
    """An author of a method, with a homepage where one is known."""

    name: str
    url: str | None = None


@dataclass(frozen=True)
class Paper:
    """The paper that a method was published in."""

    title: str
    url: str
    venue: str


@dataclass(frozen=True)
class Cost:
    """What a model costs, as ``engine.cost`` counts it.

    Attributes:
        parameters: numbers that are learned.
        gflops: operations for one input, in 10^9; a multiplication and an addition are two.
        size: height and width of that input, pixels.
    """

    parameters: int
    gflops: float
    size: tuple[int, int]


@dataclass(frozen=True)
class PublishedModel:
    """One entry of the catalogue.

    Attributes:
        name: the published name, unique over all tasks.
        task: one of ``zoo.tasks.TASKS``.
        method: name of the collection, as in the model card's headline.
        paper: where the method was published.
        authors: who published it.
        code: URL of the code that the authors, or the model's own framework, published.
        config: config file relative to the repository root, ``None`` where this repository has
            none (models of other frameworks).
        source: the config as its own code base names it, where another one published it.
        columns: the table row: headline -> text as published, in the order of the table.
        metrics: the columns that are figures, such as ``Box AP-val``.
        weights: URL of the published checkpoint.
        md5: MD5 of the checkpoint in hexadecimal, where the catalogue holds it; where it does
            not, ``links["md5"]`` is the file to ask.
        links: kind (``weights``, ``md5``, ``scores-val``, ``scores-test``, ``preds``, ``masks``,
            ``visuals``) -> URL; kinds that were not published are absent.
        aliases: other names that the same weights were published under.
        framework: the framework that runs it, where that is not this repository (``vis4d``).
        runs_as: the model here whose config runs the checkpoints of such a model.
        reconstructed: no config was published; the one here was made from its sister model.
        public: weights of others that fit it, which are not those that were published.
        cost: parameters and operations of its network, where they were counted.
    """

    name: str
    task: str
    method: str
    paper: Paper
    authors: tuple[Author, ...]
    code: str | None
    config: str | None
    source: str | None
    columns: Mapping[str, str]
    metrics: Mapping[str, float]
    weights: str | None
    md5: str | None
    links: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    framework: str | None = None
    runs_as: str | None = None
    reconstructed: bool = False
    public: PublicSource | None = None
    cost: Cost | None = None

    @property
    def tag(self) -> str | None:
        """The attribute that a tagging model predicts (``weather``, ``scene``), else None."""
        if self.task == "tagging" and self.config is not None:
            return Path(self.config).parent.name
        return None


@dataclass(frozen=True)
class _Collection:
    """What the models of one method share."""

    name: str
    paper: Paper
    authors: tuple[Author, ...]
    code: str | None


class _Entry:
    """A mapping out of a metafile whose mistakes are reported with the place that they are in."""

    def __init__(self, data: Any, where: str, allowed: Iterable[str] | None = None) -> None:
        if not isinstance(data, dict):
            raise UserError(f"{where}: expected a mapping of keys to values, found {data!r}")
        self.data: dict[str, Any] = data
        self.where = where
        if allowed is not None:
            unknown = sorted(set(data) - set(allowed))
            if unknown:
                raise UserError(
                    f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(allowed))}"
                )

    def text(self, key: str) -> str:
        value = self.data.get(key)
        if not isinstance(value, str) or value in _NULLS:
            raise UserError(f"{self.where}: needs the key {key!r} with a text")
        return value

    def optional(self, key: str) -> str | None:
        return self.text(key) if key in self.data else None

    def flag(self, key: str) -> bool:
        value = self.data.get(key, "false")
        if not isinstance(value, str) or value not in _CHECK_MARKS:
            raise UserError(f"{self.where}: {key!r} must be true or false, not {value!r}")
        return value == "true"

    def sequence(self, key: str) -> list[Any]:
        value = self.data.get(key, [])
        if not isinstance(value, list):
            raise UserError(f"{self.where}: {key!r} must be a list")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.sequence(key)
        if not all(isinstance(value, str) and value for value in values):
            raise UserError(f"{self.where}: {key!r} must be a list of texts")
        return tuple(values)

    def mapping(self, key: str, allowed: Iterable[str] | None = None) -> "_Entry":
        return _Entry(self.data.get(key, {}), f"{self.where}: {key}", allowed)


def server_url(task: str, name: str, kind: str = "weights", tag: str | None = None) -> str:
    """Where the zoo's server keeps a file of a published model.

    Args:
        task: task folder, such as ``det``.
        name: the published name of the model.
        kind: a key of ``SERVER_FILES``.
        tag: ``weather`` or ``scene`` for tagging, whose files lie one folder deeper.

    Returns:
        The URL, for instance ``https://dl.cv.ethz.ch/bdd100k/det/models/NAME.pth``.
    """
    folder, suffix = SERVER_FILES[kind]
    if task == "ins_seg" and kind == "preds":
        suffix = ".zip"  # score.json and the bitmasks together
    return "/".join([SERVER, task, *([tag] if tag else []), folder, name + suffix])


def catalogue() -> Mapping[str, PublishedModel]:
    """All entries: name -> model, in the order of the metafiles.

    Raises:
        UserError: a metafile is missing or wrong, or a name or alias appears twice.
    """
    return load(REPOSITORY / "model-index.yml")


def list_models(
    task: str | None = None, pattern: str = "*", *, external: bool = False
) -> list[str]:
    """Names of the published models that this repository runs, in the order of the model cards.

    Args:
        task: keep the models of one task; all tasks by default.
        pattern: shell-style wildcards over names, such as ``*_r50_*``.
        external: also name the models that other code bases run (Vis4D).

    Raises:
        UserError: there is no such task.
    """
    if task is not None:
        facts(task)  # tells an unknown one
    return [
        name
        for name, model in catalogue().items()
        if (task is None or model.task == task)
        and (external or model.config is not None)
        and fnmatch.fnmatchcase(name, pattern)
    ]


def find(name: str) -> PublishedModel:
    """The entry of a published name or of one of its aliases (with a warning).

    Raises:
        UserError: no model has that name; the message holds the closest ones.
    """
    models = catalogue()
    if name in models:
        return models[name]
    aliases = {alias: model for model in models.values() for alias in model.aliases}
    if name in aliases:
        model = aliases[name]
        warnings.warn(f"{name} is an older name of {model.name}", UserWarning, stacklevel=2)
        return model
    hint = nearest(name, [*models, *aliases], "tools/list_models.py lists them")
    raise UserError(f"no published model is named {name!r}: {hint}")


def select(
    patterns: Iterable[str], task: str | None = None, *, external: bool = False
) -> list[PublishedModel]:
    """The models that names, aliases or wildcards stand for, each once; all for no pattern.

    Raises:
        UserError: a name is unknown, or nothing matches a pattern.
    """
    chosen: dict[str, PublishedModel] = {}
    for pattern in list(patterns) or ["*"]:
        if not set(pattern) & set("*?["):
            model = find(pattern)
            if task in (None, model.task):
                chosen[model.name] = model
            continue
        names = list_models(task, pattern, external=external)
        if not names and pattern != "*":
            raise UserError(f"no published model matches {pattern!r}")
        chosen |= {name: catalogue()[name] for name in names}
    return list(chosen.values())


@lru_cache(maxsize=8)
def load(index: Path) -> Mapping[str, PublishedModel]:
    """Read a ``model-index.yml`` and the metafiles that it imports.

    Args:
        index: path of the file; ``Import`` lists metafiles relative to its folder, and the
            folder of a metafile names its task.

    Raises:
        UserError: a file is missing or wrong, or a name or alias appears twice.
    """
    imports = _Entry(_read_yaml(index), str(index), {"Import"}).sequence("Import")
    models: dict[str, PublishedModel] = {}
    taken: dict[str, str] = {}
    for relative in imports:
        for model in load_metafile(index.parent / relative):
            for name in (model.name, *model.aliases):
                if name in taken:
                    raise UserError(
                        f"{relative}: the name {name!r} is taken by {taken[name]!r}; "
                        "names and aliases must be unique over all tasks"
                    )
                taken[name] = model.name
            models[model.name] = model
    return MappingProxyType(models)


def load_metafile(path: Path) -> list[PublishedModel]:
    """The models of one ``metafile.yml``; its folder names the task.

    Raises:
        UserError: the file is missing or wrong; the message names the entry.
    """
    task = path.parent.name
    top = _Entry(_read_yaml(path), str(path), {"Collections", "Models"})
    for key in ("Collections", "Models"):
        if key not in top.data:
            raise UserError(f"{path}: needs the key {key!r} with a list of entries")
    collections: dict[str, _Collection] = {}
    for data in top.sequence("Collections"):
        collection = _collection(_Entry(data, f"{path}: Collections", _COLLECTION_KEYS))
        if collection.name in collections:
            raise UserError(f"{path}: the collection {collection.name!r} appears twice")
        collections[collection.name] = collection
    return [
        _model(_Entry(data, f"{path}: Models", _MODEL_KEYS), task, collections)
        for data in top.sequence("Models")
    ]


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Every scalar as text; of a key that stands twice, neither counts."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) != len(node.value):
            keys = [key.value for key, _ in node.value]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice!r} stands twice", node.start_mark
            )
        return mapping


def _read_yaml(path: Path) -> Any:
    """A YAML file with every scalar as text, so that a published 32.30 keeps its digits."""
    try:
        with path.open(encoding="utf-8") as file:
            return yaml.load(file, Loader=_Loader)
    except FileNotFoundError:
        raise UserError(
            f"no catalogue at {path}: it is part of the repository; work in a checkout and "
            "install the package from there with pip install -e"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None


def _collection(entry: _Entry) -> _Collection:
    name = entry.text("Name")
    entry.where += f": {name}"
    paper = entry.mapping("Paper", {"Title", "URL", "Venue", "Authors"})
    authors = [_Entry(a, paper.where, {"Name", "URL"}) for a in paper.sequence("Authors")]
    return _Collection(
        name=name,
        paper=Paper(paper.text("Title"), paper.text("URL"), paper.text("Venue")),
        authors=tuple(Author(a.text("Name"), a.optional("URL")) for a in authors),
        code=entry.mapping("Code", {"URL"}).optional("URL"),
    )


def _model(entry: _Entry, task: str, collections: Mapping[str, _Collection]) -> PublishedModel:
    name = entry.text("Name")
    entry.where += f": {name}"
    collection = collections.get(entry.text("In Collection"))
    if collection is None:
        raise UserError(
            f"{entry.where}: 'In Collection' names {entry.text('In Collection')!r}, which is "
            f"none of the file's collections: {', '.join(collections)}"
        )
    source = entry.text("Config")
    config = source if source.startswith(f"{task}/configs/") else None
    columns, metrics = _columns(entry)
    md5 = entry.optional("MD5")
    if md5 is not None and not _MD5.fullmatch(md5):
        raise UserError(f"{entry.where}: 'MD5' must be 32 hexadecimal digits, not {md5!r}")
    weights = entry.optional("Weights")
    return PublishedModel(
        name=name,
        task=task,
        method=collection.name,
        paper=collection.paper,
        authors=collection.authors,
        code=entry.mapping("Code", {"URL"}).optional("URL") or collection.code,
        config=config,
        source=entry.optional("Source") if config else source,
        columns=MappingProxyType(columns),
        metrics=MappingProxyType(metrics),
        weights=weights,
        md5=md5,
        links=MappingProxyType(_links(entry, weights)),
        aliases=tuple(entry.sequence("Alias")),
        framework=entry.optional("Framework"),
        runs_as=entry.optional("Runs As"),
        reconstructed=entry.flag("Reconstructed"),
        public=_public(entry.mapping("Public", _PUBLIC_KEYS)) if "Public" in entry.data else None,
        cost=_cost(entry.mapping("Cost", _COST_KEYS)) if "Cost" in entry.data else None,
    )


def _cost(entry: _Entry) -> Cost:
    size = _SIZE.fullmatch(entry.text("Input"))
    if size is None:
        raise UserError(
            f"{entry.where}: 'Input' must be height and width such as 720x1280, "
            f"not {entry.text('Input')!r}"
        )
    try:
        parameters, gflops = int(entry.text("Parameters")), float(entry.text("GFLOPs"))
    except ValueError:
        raise UserError(
            f"{entry.where}: 'Parameters' and 'GFLOPs' must be numbers; "
            "tools/model_card.py --costs writes them"
        ) from None
    return Cost(parameters, gflops, (int(size[1]), int(size[2])))


def _public(entry: _Entry) -> PublicSource:
    urls = entry.texts("Weights")
    fit, dataset = entry.text("Fit"), entry.text("Dataset")
    if not urls:
        raise UserError(f"{entry.where}: 'Weights' must list a URL at least")
    if fit not in FITS:
        raise UserError(f"{entry.where}: 'Fit' must be one of {', '.join(FITS)}, not {fit!r}")
    if dataset not in DATASET_TERMS:
        raise UserError(
            f"{entry.where}: 'Dataset' must be one of {', '.join(DATASET_TERMS)}, not {dataset!r}"
        )
    digits = entry.optional("SHA256") or digits_of(urls[0])
    if digits is not None and not _SHA256.fullmatch(digits):
        raise UserError(
            f"{entry.where}: 'SHA256' must be 8 to 64 hexadecimal digits, not {digits!r}"
        )
    rename = entry.mapping("Rename").data
    if not all(isinstance(value, str) for value in rename.values()):
        raise UserError(f"{entry.where}: 'Rename' must map prefixes of keys to prefixes")
    return PublicSource(
        urls=urls,
        config=entry.text("Config"),
        dataset=dataset,
        fit=fit,
        metric=entry.optional("Metric"),
        sha256=digits,
        rename=MappingProxyType(rename),
        taken=entry.texts("Taken"),
        left_out=entry.texts("Left Out"),
        options=entry.texts("Options"),
        note=entry.optional("Note"),
    )


def _columns(entry: _Entry) -> tuple[dict[str, str], dict[str, float]]:
    """The table row as texts, and those of its columns that are figures."""
    metadata = entry.mapping("Metadata")
    columns = {}
    for key, value in metadata.data.items():
        if not isinstance(value, str):
            raise UserError(f"{metadata.where}: {key!r} must be a single value, not {value!r}")
        columns[key] = _CHECK_MARKS.get(value, value)
    metrics = {}
    for data in entry.sequence("Results"):
        result = _Entry(data, f"{entry.where}: Results", {"Task", "Dataset", "Metrics"})
        for key, value in result.mapping("Metrics").data.items():
            if not _METRIC.search(key):
                raise UserError(
                    f"{entry.where}: the metric {key!r} must end in -val or -test, the split"
                )
            try:
                metrics[key] = float(value)
            except (TypeError, ValueError):
                raise UserError(
                    f"{entry.where}: the metric {key!r} is not a number: {value!r}"
                ) from None
            columns[key] = value
    return columns, metrics


def _links(entry: _Entry, weights: str | None) -> dict[str, str]:
    """Links by kind: those of the zoo's server follow from the weights, others are listed."""
    links: dict[str, str] = {}
    masks = entry.flag("Masks")
    if weights is not None and weights.startswith(f"{SERVER}/"):
        parts = weights.removeprefix(f"{SERVER}/").removesuffix(".pth").split("/")
        if len(parts) not in (3, 4) or parts[-2] != "models":
            raise UserError(
                f"{entry.where}: 'Weights' on the zoo's server must look like "
                f"{SERVER}/TASK/models/NAME.pth, not {weights}"
            )
        tag = parts[1] if len(parts) == 4 else None
        kinds = [kind for kind in SERVER_FILES if kind != "masks" or masks]
        links = {kind: server_url(parts[0], parts[-1], kind, tag) for kind in kinds}
    elif weights is not None:
        links["weights"] = weights
    explicit = entry.mapping("Links", SERVER_FILES)
    for kind in explicit.data:
        links[kind] = explicit.text(kind)
    return links
