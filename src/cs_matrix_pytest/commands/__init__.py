"""The subcommands of ``cs-matrix``, one module each."""
