"""Models in the store: of each relation one judges, whoever puts one in its place."""

import pytest
import sqlalchemy as sa

from server.hub import Hub
from server.store import models
from server.store.models import Kept


def test_no_second_model_of_a_relation_judges(own_hub: Hub) -> None:
    with own_hub.store.write() as connection:
        for version in ("first", "second"):
            models.add_shipped(connection, version, "same_incident", "{}", own_hub.clock())
        states = {each.version: each.state for each in models.listed(connection, "same_incident")}
        assert states == {"first": "current", "second": "proposed"}
    # As of a hub that looked at the same moment.
    late = Kept("third", "same_incident", "{}", "current", own_hub.clock(), None, None)
    with own_hub.store.write() as connection, pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
        models.add(connection, late)
