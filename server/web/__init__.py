"""HTTP front doors: they translate and never decide."""
