"""``python -m bdd100k_models COMMAND …`` is ``bdd100k-models COMMAND …``; torchrun takes it so."""

import sys

from bdd100k_models.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
