"""Intake: a body of frames becomes stored operations and verdicts, in one transaction.

The order keeps the promises: lines are read before the database is touched, many rows are written at a
time, registry numbers are drawn last, and nothing is said before the commit.
"""
