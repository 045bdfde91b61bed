"""Command lines of the scripts: arguments in, exit status out."""
