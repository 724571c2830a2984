"""Tasks: the kinds of changes that bring and take them, and what can come of each kind of task (PROTOCOL §3.7)."""

from collections.abc import Mapping
from typing import Final

TASK: Final = "task"
TASK_GONE: Final = "task_gone"
TASK_DONE: Final = "task_done"

# By kind, what can come of it; the first is what it was set for.
OUTCOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "visit": ("verified", "not_found", "refused", "turned_back"),
    "ask": ("answered", "not_met", "refused", "turned_back"),
    "collect": ("collected", "no_document", "not_met", "refused", "turned_back"),
    "inform": ("informed", "not_met", "refused", "turned_back"),
    "quarterly": ("unchanged", "better", "worse", "not_met", "refused", "turned_back"),
    "choice": ("chosen", "declined", "later", "not_met", "turned_back"),
}
# Kinds with which a finding may be proposed.
FINDS: Final = frozenset({"visit", "ask", "collect"})
