"""Use cases: one call, one transaction, in the order that keeps promises."""
