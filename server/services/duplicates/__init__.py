"""Duplicates: complaints that tell of one incident or one complainant, linked and never merged."""
