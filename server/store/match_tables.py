"""The tables that complaints are matched by, and of what was found; what each is for stands in docs/database.md."""

from typing import Final

import sqlalchemy as sa

from server.domain.matching.decisions import Reason, Verdict
from server.domain.matching.link_ids import new_id
from server.store.columns import Reasons, column, metadata, one_of, uuid
from server.store.dialect import ID, UtcTime, unique_where

# Complaints that have to be matched, again or for the first time.
match_pending: Final = sa.Table(
    "match_pending",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    # The process that has it in hand, and until when nobody else takes it; whatever is new takes it out of that hand.
    uuid("claimed_by", null=True),
    column("claimed_until", UtcTime, null=True),
    # How often matching it went wrong since its own lineage said anything new.
    column("attempts", sa.Integer, server_default="0"),
    # Whose turn it is, the lowest first: new, then told of again, then matched under another scheme.
    column("turn", sa.SmallInteger, server_default="0"),
    sa.Index("ix_match_pending_turn_complaint", "turn", "complaint"),
)

match_profile: Final = sa.Table(
    "match_profile",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("scheme", sa.Integer),
    # Veils and keyed numbers, sealed under a key of the credential.
    column("features", sa.LargeBinary),
    # The heads of its blocking keys, 4 bytes each: they are found again without a second index over the posting table.
    column("posted", sa.LargeBinary),
    column("is_matchable", sa.Boolean),
    # It says less than its device told: the linkage was let go of, or was of another scheme.
    column("by_facts", sa.Boolean, server_default=sa.false()),
)

# Whose words stand in a profile: the device that said them, its counter then, and the compartments where they do.
match_told: Final = sa.Table(
    "match_told",
    metadata,
    column("complaint", ID, sa.ForeignKey("complaint.id"), primary_key=True, autoincrement=False),
    column("device", sa.Integer, sa.ForeignKey("device.number"), primary_key=True, autoincrement=False),
    column("seq", ID, primary_key=True, autoincrement=False),
    column("identity", sa.Boolean),
    column("statement", sa.Boolean),
    column("traces", sa.Boolean),
    sqlite_with_rowid=False,
)

# The posting table. `source` stands in the key so that one index answers all.
match_key: Final = sa.Table(
    "match_key",
    metadata,
    column("k", sa.BigInteger, primary_key=True, autoincrement=False),
    column("complaint", ID, primary_key=True, autoincrement=False),
    # Of the lineage that sent it, 15 bits under the pepper.
    column("source", sa.SmallInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

model: Final = sa.Table(
    "model",
    metadata,
    column("version", sa.String(40), primary_key=True),
    column("relation", sa.String(20)),
    column("document", sa.Text),
    column("state", sa.String(10)),
    column("at", UtcTime),
    # Of one that was learned here: the model that it was drawn to, and from how many decisions.
    column("base", sa.String(40), sa.ForeignKey("model.version"), null=True),
    column("decisions", sa.Integer, null=True),
    one_of("relation", "same_incident", "same_complainant"),
    one_of("state", "current", "proposed", "old"),
    # One judges, whoever else puts one in its place at the same moment.
    unique_where("ix_model_current", "relation", "state = 'current'"),
)

link: Final = sa.Table(
    "link",
    metadata,
    # Drawn by lot: people type it, and its size tells nobody how many links there are. No ID: rows in that order
    # would leave a third of SQLite's pages empty.
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False, default=new_id),
    # The lower id first.
    column("a", ID, sa.ForeignKey("complaint.id")),
    column("b", ID, sa.ForeignKey("complaint.id"), index=True),
    column("relation", sa.String(20)),
    # Empty for a retry, which no model judges.
    column("model", sa.String(40), sa.ForeignKey("model.version"), null=True),
    column("reasons", Reasons),
    column("weight", sa.Float),
    column("probability", sa.Float),
    column("band", sa.String(10)),
    # Where it waits for a decision, what that is worth, and a keyed number by which pairs are drawn for samples.
    column("shelf", sa.String(10)),
    column("value", sa.Float),
    column("draw", sa.Integer),
    # Its score was there to be seen once: whatever band it has now, nobody decides it unaided any more.
    column("was_scored", sa.Boolean),
    column("state", sa.String(10), server_default="proposed"),
    column("at", UtcTime),
    sa.UniqueConstraint("a", "b", "relation"),
    sa.Index("ix_link_state_shelf_value", "state", "shelf", "value"),
    sa.Index("ix_link_state_shelf_draw", "state", "shelf", "draw"),
    sa.CheckConstraint("a < b", name="order"),
    one_of("relation", "retry", "same_incident", "same_complainant"),
    one_of("band", "strong", "possible", "silent"),
    one_of("shelf", "strong", "possible", "blind", "silent"),
    one_of("state", "proposed", "confirmed", "rejected"),
)

decision: Final = sa.Table(
    "decision",
    metadata,
    column("link", sa.BigInteger, sa.ForeignKey("link.id"), primary_key=True, autoincrement=False),
    # Counts the words on one link from 1.
    column("no", sa.Integer, primary_key=True, autoincrement=False),
    column("verdict", sa.String(10)),
    uuid("account", sa.ForeignKey("account.id"), index=True),
    # A code: what a person would write here names people, and nothing here is sealed.
    column("reason", sa.String(20), null=True),
    column("at", UtcTime),
    # The number of the word on the same link that this one takes back.
    column("undoes", sa.Integer, null=True),
    # Made without the score; beside a decision: by a second person, or by somebody who was unsure.
    column("is_blind", sa.Boolean),
    column("is_second", sa.Boolean),
    # The link as it was judged then: models change, and links with them.
    column("model", sa.String(40), null=True),
    column("reasons", Reasons),
    column("weight", sa.Float),
    column("probability", sa.Float),
    column("band", sa.String(10)),
    one_of("verdict", *Verdict),
    one_of("reason", *Reason),
)
