"""The OpenAPI document: valid, and true of what the application answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.transport.serialization import Binary

from tests.builders import Clock, Sender, app_of, enrolled, open_test_hub

OPERATIONS = (
    ("enrol", "post"),
    ("sync", "post"),
    ("parcels", "post"),
    ("statistics", "get"),
    ("files", "options"),
    ("files", "post"),
    ("files/{upload}", "head"),
    ("files/{upload}", "patch"),
    ("files/{upload}", "delete"),
)
DOCUMENT = "/api/v1/openapi.json"
# A schema can't say which bytes are a frame, nor the four limits of PROTOCOL §2 on JSON.
_NOT_ASKED = {"positive_data_acceptance"}
# What is wrong with a line is said in a verdict, with status 200.
_OF_BYTES_NOT_ASKED = _NOT_ASKED | {"negative_data_rejection"}


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: object) -> bytes:
    """A generated body as it is."""
    return value.data if isinstance(value, Binary) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    hub = open_test_hub("sqlite", tmp_path_factory.mktemp("hub"), Clock())
    yield enrolled(hub, "Gao 1")
    hub.close()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    hub = open_test_hub("sqlite", tmp_path, Clock())
    yield app_of(hub)
    hub.close()


def test_document_is_valid_openapi_3_1(app: Flask) -> None:
    document = app.test_client().get(DOCUMENT).json

    assert document["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_refusal_is_documented_as_a_problem(app: Flask) -> None:
    document = app.test_client().get(DOCUMENT).json

    assert {
        (path, method): operation["responses"]["default"]["$ref"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    } == {(f"/api/v1/{path}", method): "#/components/responses/DEFAULT_ERROR" for path, method in OPERATIONS}
    default = document["components"]["responses"]["DEFAULT_ERROR"]["content"]
    assert default.keys() == {"application/problem+json"}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", ["/api/v1/enrol", "/api/v1/sync", "/api/v1/parcels"])
def test_answers_are_as_documented(sender: Sender, path: str, mode: GenerationMode) -> None:
    operation = schemathesis.openapi.from_wsgi(DOCUMENT, sender.app)[path]["POST"]
    not_asked = _NOT_ASKED if path == "/api/v1/enrol" else _OF_BYTES_NOT_ASKED
    checks = [check for check in CHECKS.get_all() if check.__name__ not in not_asked]
    headers = {"Authorization": f"Bearer {sender.token}"}

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def answers(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers, checks=checks)

    answers()
