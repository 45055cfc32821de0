"""``python -m cs_matrix_pytest`` is ``cs-matrix``."""

from cs_matrix_pytest.cli import main

raise SystemExit(main())
