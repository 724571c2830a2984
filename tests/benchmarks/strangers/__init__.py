"""Clients of tus that know nothing of ours, each a program of its own."""
