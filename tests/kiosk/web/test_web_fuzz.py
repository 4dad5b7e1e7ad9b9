"""Requests made up from the pages' own OpenAPI description, right ones and wrong ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from kiosk.shared.settings import WebSettings
from kiosk.web.app import create_app
from tests.fixtures.exhibit.pages import PIN, PIN_HASH, Pages, served

MANY = WebSettings(
    port=0, pin_hash=PIN_HASH, comment_burst=1_000_000, room_burst=1_000_000, comment_pause=0.001, room_rate=1000.0
)


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """An exhibit whose staff is signed in, and which hears as much as is said."""
    for each in served(MANY):
        assert each.ask("POST", "/api/staff/session", json={"pin": PIN}).status_code == 204
        yield each


@pytest.fixture(scope="module")
def described(pages):
    """The description that the application gives of itself."""
    return schemathesis.openapi.from_dict(create_app(pages.exhibit, MANY).openapi())


def ask_made_up(pages: Pages, described, examples: int) -> int:
    """Sends that many right and as many wrong requests to every operation; how many operations there were."""
    operations = [found.ok() for found in described.get_all_operations()]
    for operation in operations:
        for mode in schemathesis.GenerationMode if operation.body else (schemathesis.GenerationMode.POSITIVE,):

            @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def answered_as_described(case: schemathesis.Case) -> None:
                headers = {"Origin": pages.origin}
                if case.path != "/api/staff/session":  # or it would sign the others out
                    headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in pages.client.cookies.items())
                response = case.call(base_url=pages.origin, headers=headers)
                # A description cannot say what is too large as a whole, or well-formed and without meaning.
                unknowable: list[schemathesis.CheckFunction] = [negative_data_rejection, positive_data_acceptance]
                excluded = unknowable if response.status_code in (400, 413) else []
                case.validate_response(response, excluded_checks=excluded)

            answered_as_described()
    return len(operations)


def test_made_up_requests_are_answered_as_described(pages, described):
    assert ask_made_up(pages, described, 4) == 16
    assert pages.exhibit.heard > 0


@pytest.mark.slow
def test_many_made_up_requests_are_answered_as_described(pages, described):
    assert ask_made_up(pages, described, 500) == 16
    assert pages.server.alive
