"""Which tests run where: their attributes, the markers and expressions that select by them, and what fits where."""
