"""``tools/download.py``: weights of published models into the local store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bdd100k_models import weights
from bdd100k_models.cli.arguments import Parser
from bdd100k_models.errors import UserError
from bdd100k_models.zoo import catalogue, tasks
from bdd100k_models.zoo.catalogue import PublishedModel
from bdd100k_models.zoo.public import PublicSource


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="download.py",
        description="Fetch weights of published models into the local store "
        f"(${weights.STORE_VARIABLE}, else ~/.cache/bdd100k_models), from the mirrors in "
        f"${weights.MIRRORS_VARIABLE} or the published server; with --public weights of others "
        "that fit them, from where their makers keep them.",
    )
    parser.add_argument("patterns", nargs="*", metavar="NAME", help="names or wildcards")
    parser.add_argument("--task", choices=tasks.TASKS, metavar="TASK", help="%(choices)s")
    parser.add_argument(
        "--public",
        action="store_true",
        help="not the published weights: those of others, trained on other data, that fit",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="show which are in the store")
    action.add_argument("--md5", action="store_true", help="verify those that are in the store")
    action.add_argument(
        "--mirror",
        type=Path,
        metavar="DIR",
        help="put the weights, published and public ones, into DIR, with their digests, for others "
        f"to set as ${weights.MIRRORS_VARIABLE}",
    )
    action.add_argument(
        "--check",
        action="store_true",
        help="ask where the weights are to be had now, without fetching them",
    )
    action.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="copy FILE into the store as the weights of the one model NAME",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Do with the weights what ``argv`` says; 1 when a file is missing or damaged.

    Raises:
        UserError: an unknown name, or a command that names nothing.
    """
    args = build_parser().parse_args(argv)
    if not (args.patterns or args.task or args.list or args.md5 or args.mirror or args.check):
        raise UserError("name the models to download: names, wildcards such as '*', or --task")
    models = catalogue.select(args.patterns, args.task)
    if args.check:
        return check(models)
    if args.mirror is not None:
        return mirror(models, args.mirror)
    kind = Public() if args.public else Published()
    models = [model for model in models if kind.known(model)]
    if args.public and not models:
        raise UserError("no public weights are known that fit what is named")
    if args.source is not None:
        if len(models) != 1:
            raise UserError(f"--from takes one model, {len(models)} are named")
        print(f"wrote {kind.add(args.source, models[0])}")
        return 0
    if args.list:
        for model in models:
            mark = "stored" if kind.path(model).is_file() else "-"
            print(f"{mark:7} {model.name}{kind.told(model)}")
        return 0
    failed = 0
    for model in models:
        failed += not (verified(model, kind) if args.md5 else downloaded(model, kind))
    if failed:
        print(f"{failed} of {len(models)} failed")
    return 1 if failed else 0


class Published:
    """The weights that were published for a model."""

    digest = "MD5"

    def known(self, model: PublishedModel) -> bool:
        """Whether there are any."""
        return model.weights is not None

    def path(self, model: PublishedModel) -> Path:
        """Where the store keeps them."""
        return weights.stored_path(model)

    def find(self, model: PublishedModel) -> Path:
        """Fetch them, if need be."""
        return weights.find_published(model)

    def add(self, source: Path, model: PublishedModel) -> Path:
        """Copy a file into the store as them."""
        return weights.add_to_store(source, model)

    def verify(self, path: Path, model: PublishedModel) -> bool:
        """Whether there was a digest to compare the stored file with."""
        return weights.verify(path, model.md5)

    def told(self, model: PublishedModel) -> str:
        """What is to be said of them beside the model's name."""
        return ""


class Public(Published):
    """Weights of others that fit a model."""

    digest = "SHA-256"

    def known(self, model: PublishedModel) -> bool:
        return model.public is not None

    def path(self, model: PublishedModel) -> Path:
        return weights.stored_public(_source(model))

    def find(self, model: PublishedModel) -> Path:
        return weights.find_public(model)

    def add(self, source: Path, model: PublishedModel) -> Path:
        return weights.add_public(source, _source(model))

    def verify(self, path: Path, model: PublishedModel) -> bool:
        return weights.verify(path, sha256=_source(model).sha256)

    def told(self, model: PublishedModel) -> str:
        source = _source(model)
        use = "runs" if source.runs(model.tag or model.task) else "starts a training"
        terms = "; ".join(source.terms)
        return f": {use}, {source.owner}'s, trained on {source.dataset} ({terms})"


def _source(model: PublishedModel) -> PublicSource:
    source = model.public
    assert source is not None  # known() said so
    return source


def downloaded(model: PublishedModel, kind: Published) -> bool:
    """Fetch the weights of a model and say where they are, or why they are nowhere."""
    try:
        print(f"{model.name}: {kind.find(model)}{kind.told(model)}")
    except UserError as error:
        print(f"{model.name}: {error}")
        return False
    return True


def mirror(models: Sequence[PublishedModel], folder: Path) -> int:
    """Fill a folder that others can set as a mirror; 1 where a file could not be had."""
    from bdd100k_models.weights import mirroring

    there = new = missing = 0
    for outcome in mirroring.mirror(models, folder):
        what = f"{outcome.file.kind} weights {outcome.file.name}"
        if outcome.path is None:
            missing += 1
            print(f"missing: {what}: {outcome.reason}")
        elif outcome.new:
            new += 1
            print(f"wrote {outcome.path}")
        else:
            there += 1
    print(
        f"{folder}: {new} files new, {there} there before, {missing} nowhere to be had; "
        f"{mirroring.SUMS} lists their digests; {weights.MIRRORS_VARIABLE}={folder} uses it"
    )
    return 1 if missing else 0


def check(models: Sequence[PublishedModel]) -> int:
    """Print which places answer for which file; 1 where some model has no weights anywhere."""
    from bdd100k_models.weights import availability

    files = availability.wanted_files(models)
    served: set[str] = set()
    by_host: dict[str, list[bool]] = {}
    print(f"{'says':28} {'size':>9} {'kind':9} {'stored':6} place")
    for file, answers in availability.ask(files):
        stored = "yes" if file.stored.is_file() else "-"
        if file.stored.is_file() or any(answer.found for answer in answers):
            served.update(file.models)
        for answer in answers:
            by_host.setdefault(answer.host, []).append(answer.found)
            size = f"{answer.size / 2**20:.1f} MiB" if answer.size is not None else "-"
            print(f"{answer.reason:28} {size:>9} {file.kind:9} {stored:6} {answer.place}")
    for host, found in by_host.items():
        print(f"{host}: {sum(found)} of {len(found)} files answer")
    lost = [model.name for model in models if model.name not in served]
    print(
        f"{len(models) - len(lost)} of {len(models)} models have weights in the store or somewhere"
    )
    return 1 if lost else 0


def verified(model: PublishedModel, kind: Published) -> bool:
    """Compare the stored weights of a model with their digest; those not stored count not."""
    path = kind.path(model)
    if not path.is_file():
        return True
    try:
        known = kind.verify(path, model)
    except UserError as error:
        print(f"{model.name}: {error}")
        return False
    print(f"{model.name}: {'ok' if known else f'no {kind.digest} to compare {path} with'}")
    return True
