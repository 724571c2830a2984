"""Figures: what the hub and the field client reach on this machine, against what was asked of them."""
