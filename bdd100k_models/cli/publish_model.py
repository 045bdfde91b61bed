"""``tools/publish_model.py``: make a trained checkpoint ready to be put on a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bdd100k_models.cli.arguments import Parser


def make_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="publish_model.py",
        description="Strip a checkpoint of what only training needs, name it by its hash, write "
        "its MD5 beside it, and print the entry for metafile.yml.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="folder, or FOLDER/NAME.pth to give it another name"
    )
    parser.add_argument(
        "--half", action="store_true", help="write large tensors as float16: half the size"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write the published file, its MD5, and print what to put into the catalogue.

    Raises:
        UserError: the checkpoint is none, or ``OUT`` cannot be written.
    """
    args = make_parser().parse_args(argv)
    from bdd100k_models.weights import publishing

    published = publishing.publish(args.checkpoint, args.out, half=args.half)
    print(f"wrote {published.path} ({published.path.stat().st_size / 2**20:.1f} MiB)")
    print(f"wrote {published.path.with_suffix('.md5')}")
    print("entry for metafile.yml of its task, to fill in:\n")
    print(publishing.entry(published))
    return 0
