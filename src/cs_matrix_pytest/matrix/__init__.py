"""One pytest session over the selected environments: collection, scheduling, connections, and what is recorded."""
