"""``tools/model_card.py``: render the model cards, check entries, write costs, begin a new one."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from bdd100k_models.cli.arguments import Parser
from bdd100k_models.errors import UserError
from bdd100k_models.files.places import REPOSITORY
from bdd100k_models.zoo import catalogue, costs, model_cards, review
from bdd100k_models.zoo.catalogue import PublishedModel
from bdd100k_models.zoo.tasks import TASKS


def build_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="model_card.py",
        description="Render the tables of TASK/README.md from TASK/metafile.yml, or check them.",
        epilog="--check without a name takes all: entries, configs, networks of shapes alone, and "
        "tables. It says one line for each problem and exits with 1 where there is one.",
    )
    parser.add_argument(
        "chosen", nargs="*", metavar="TASK|NAME", help="tasks, names or wildcards; default: all"
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="write nothing, say what is wrong")
    action.add_argument("--new", metavar="NAME", help="print an entry to begin with, or check it")
    action.add_argument(
        "--costs", action="store_true", help="count parameters and GFLOPs, write metafile.yml"
    )
    given = parser.add_argument_group("with --check or --new of one model, what to check besides")
    given.add_argument("--checkpoint", type=Path, metavar="FILE", help="its weights, to be loaded")
    given.add_argument("--scores", type=Path, metavar="FILE", help="its scores JSON, of val")
    given.add_argument(
        "--predictions", type=Path, metavar="PATH", help="its predictions of val, to be scored"
    )
    given.add_argument("--data-root", help="folder with labels/, to score predictions against")
    given.add_argument("--online", action="store_true", help="ask whether its links answer")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Do what ``argv`` asks for; 1 when something is wrong with a model or table.

    Raises:
        UserError: an unknown name, a metafile or README that cannot be used, or options that do
            not go together.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.new is not None and args.chosen:
        parser.error("--new takes one name and nothing else")
    models = _chosen([args.new] if args.new is not None else args.chosen, new=args.new is not None)
    if not models:
        print(f"no metafile.yml has {args.new} yet. Add this to that of its task, and fill it in:")
        print(f"\n{model_cards.skeleton(args.new)}")
        return 1
    files = (args.checkpoint, args.scores, args.predictions)
    if any(files) and (len(models) != 1 or not (args.check or args.new)):
        parser.error("--checkpoint, --scores and --predictions go with --check of one model")
    tasks = [task for task in TASKS if any(model.task == task for model in models)]
    if args.costs:
        return _write_costs(models)
    if not args.check and args.new is None:
        for path in [*model_cards.update(tasks), *_draw(tasks)]:
            print(f"wrote {path.relative_to(REPOSITORY)}")
        return 0
    found = _check(models, *files, args.data_root)
    if args.online:
        found += _ask(models)
    if args.new is None:
        found += [
            f"{path.relative_to(REPOSITORY)} differs from its metafile.yml: run python "
            "tools/model_card.py and commit what it writes"
            for path in [*model_cards.stale(tasks), *_stale_pictures(tasks)]
        ]
    for line in found:
        print(line)
    if args.new is not None and not found:
        print(f"{args.new} is complete; now run python tools/model_card.py and commit what it does")
    return 1 if found else 0


def _chosen(words: Sequence[str], *, new: bool = False) -> list[PublishedModel]:
    """Models of tasks, names and wildcards, each once; none for a new one without an entry."""
    if new:
        return [model for name, model in catalogue.catalogue().items() if name == words[0]]
    chosen: dict[str, PublishedModel] = {}
    for word in words or TASKS:
        models = (
            [model for model in catalogue.catalogue().values() if model.task == word]
            if word in TASKS
            else catalogue.select([word], external=True)
        )
        chosen |= {model.name: model for model in models}
    return list(chosen.values())


def _check(
    models: Iterable[PublishedModel],
    checkpoint: Path | None,
    scores: Path | None,
    predictions: Path | None,
    data_root: str | None,
) -> list[str]:
    """One line for each thing that is wrong with the models, with the model's name before it."""
    from bdd100k_models import config
    from bdd100k_models.engine import claims as built
    from bdd100k_models.evaluation import claims as scored
    from bdd100k_models.files import read_json
    from bdd100k_models.weights import fingerprints

    told_apart = {name for group in read_json(fingerprints.FILE) for name in group["models"]}
    found = []
    warnings.simplefilter("ignore")  # what the packages think of configs is no problem of an entry
    for model in models:
        own = review.problems(model)
        if model.config is not None and (REPOSITORY / model.config).is_file():
            own += built.config_problems(model)
            if model.name not in told_apart:
                own.append("Fingerprint: missing; python tools/fingerprints.py --missing writes it")
            if checkpoint is not None:
                own += built.checkpoint_problems(model, checkpoint)
        if scores is not None:
            own += scored.scores_problems(model, scores)
        if predictions is not None:
            try:
                own += scored.verify(model, predictions, config.data_root(data_root)).problems
            except UserError as error:
                own.append(f"Predictions: {error}")
        found += [f"{model.name}: {problem}" for problem in own]
    return found


def _stale_pictures(tasks: Iterable[str]) -> list[Path]:
    """The pictures of READMEs that show something else than the catalogue."""
    from bdd100k_models.visualization import overview

    pictures = filter(None, (overview.picture(task, REPOSITORY) for task in tasks))
    return [path for path, models in pictures if overview.stale(path, models)]


def _draw(tasks: Iterable[str]) -> list[Path]:
    """Draw the pictures of READMEs that need it; gives their paths."""
    from bdd100k_models.visualization import overview

    pictures = filter(None, (overview.picture(task, REPOSITORY) for task in tasks))
    return [
        overview.plot(models, path) for path, models in pictures if overview.stale(path, models)
    ]


def _ask(models: Iterable[PublishedModel]) -> list[str]:
    """A line for each link of the models that does not answer, each link asked once."""
    from bdd100k_models.weights.availability import ask_links

    asked: dict[str, str] = {}
    for model in models:
        weights = [("Weights", model.weights)] if model.weights is not None else []
        weights += [("Public", url) for url in (model.public.urls if model.public else ())]
        for key, url in (*weights, *review.links(model)):
            if review.well_formed(url):
                asked.setdefault(url, f"{model.name}: {key}: {url}")
    answers = zip(asked.values(), ask_links(asked), strict=True)
    return [f"{named}: {answer.reason}" for named, answer in answers if not answer.found]


def _write_costs(models: Iterable[PublishedModel]) -> int:
    from bdd100k_models.config import load_config
    from bdd100k_models.engine.cost import cost

    warnings.simplefilter("ignore")
    counted: dict[str, dict[str, catalogue.Cost]] = {}
    for model in models:
        if model.config is not None:
            own = cost(load_config(REPOSITORY / model.config))
            counted.setdefault(model.task, {})[model.name] = own
    for task, by_name in counted.items():
        metafile = REPOSITORY / task / "metafile.yml"
        if costs.write(metafile, by_name):
            print(f"wrote {metafile.relative_to(REPOSITORY)}")
    return 0
