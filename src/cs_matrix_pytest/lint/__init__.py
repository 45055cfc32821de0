"""``cs-matrix lint``: mistakes in test suites that lose tests in silence, found without importing the suites."""
