"""In the place of pandas, which no hub has: sqlite-utils would spend a third of the time of each start on it."""

raise ImportError("a shipped hub has no pandas")
