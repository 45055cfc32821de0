"""Many runs: a folder, or an object-store prefix, of run records is the database. Merge, compact, and ask at scale."""
