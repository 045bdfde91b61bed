"""``tools/print_config.py``: a config as one standalone file, to copy and change."""

from __future__ import annotations

from collections.abc import Sequence

from bdd100k_models.cli.arguments import Parser


def make_parser() -> Parser:
    """The arguments of the script."""
    parser = Parser(
        prog="print_config.py",
        description="Print a config with everything that it takes from its bases: "
        "tools/print_config.py CONFIG > my_config.py",
    )
    parser.add_argument("config", metavar="CONFIG", help="config file, or a published name")
    parser.add_argument(
        "--cfg-options",
        "--options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="override entries of the config first",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the config that ``argv`` names; data paths stay as the config has them.

    Raises:
        UserError: no such config, an option that does not fit, or a value without literal form.
    """
    args = make_parser().parse_args(argv)
    from bdd100k_models.config import apply_options, parse_options, read_config, standalone_text

    cfg = read_config(args.config)
    apply_options(cfg, parse_options(args.cfg_options))
    print(standalone_text(cfg), end="")
    return 0
