"""Case work: opening, moving, joining, undoing, notes, and what waits for whom."""
