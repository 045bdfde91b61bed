"""``tools/fingerprints.py``: what tells a checkpoint's model by its names and shapes."""

from __future__ import annotations

from collections.abc import Sequence

from bdd100k_models.cli.arguments import Parser


def make_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="fingerprints.py",
        description="Write bdd100k_models/weights/fingerprints.json from the networks of all "
        "configs; needed when a model was added or its network changed.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail if it is stale")
    parser.add_argument(
        "--missing",
        action="store_true",
        help="look only at models that the file lacks, and take out those that are gone",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check the file; 1 where it is stale.

    Raises:
        UserError: a config that cannot be built.
    """
    args = make_parser().parse_args(argv)
    from bdd100k_models import load_config
    from bdd100k_models.engine.shapes import state_shapes
    from bdd100k_models.files import read_json, write_json
    from bdd100k_models.weights import fingerprints
    from bdd100k_models.zoo import catalogue

    known: dict[str, list[str]] = {}
    if args.missing and fingerprints.FILE.is_file():
        for group in read_json(fingerprints.FILE):
            known |= dict.fromkeys(group["models"], group["sketch"].split())
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in catalogue.list_models():
        sketch = known.get(name) or fingerprints.sketch(state_shapes(load_config(name)))
        groups.setdefault(tuple(sketch), []).append(name)
    content = [{"sketch": " ".join(key), "models": names} for key, names in groups.items()]
    if args.check:
        stale = not fingerprints.FILE.is_file() or read_json(fingerprints.FILE) != content
        print(f"{fingerprints.FILE} is {'stale: run tools/fingerprints.py' if stale else 'right'}")
        return 1 if stale else 0
    write_json(fingerprints.FILE, content)
    print(f"wrote {fingerprints.FILE}: {len(content)} networks of {sum(map(len, groups.values()))}")
    return 0
