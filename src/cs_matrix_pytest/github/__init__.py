"""GitHub: pull request comments and commit statuses, by its REST API (github.com and GitHub Enterprise)."""
