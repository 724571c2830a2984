"""Packages for the commission and other bodies: chosen, built, sealed, sent and answered."""
