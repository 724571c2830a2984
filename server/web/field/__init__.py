"""Carnet: the application of a phone, given out whole to whoever asks, and kept there."""
