"""What the pages answer when they cannot do what was asked."""

from __future__ import annotations

from fastapi.responses import JSONResponse
from pydantic import BaseModel

SENTENCES = {
    "host": "These pages are not reached under this name.",
    "origin": "This came from another page.",
    "unpaired": "Scan the code beside the artwork first.",
    "token": "This is not the code of this exhibit.",
    "too-large": "This is too much at once.",
    "too-often": "That was too often: wait a little.",
    "comment": "There is nothing to read in it.",
    "too-long": "It has too many characters: shorten it.",
    "piled": "It piles too many signs on its characters: leave some of its accents out.",
    "no-speech": "No words were heard in it.",
    "speech-busy": "Others are speaking: try again in a moment.",
    "resting": "The exhibit does not listen at the moment.",
    "form": "This is not what was expected here.",
    "missing": "There is nothing here.",
    "method": "This cannot be done here.",
    "pin": "This is not the PIN.",
    "signed-out": "Sign in first.",
    "no-pin": "No PIN is set: run  a2m-edge kiosk pin  and put its hash into kiosk.toml.",
    "region": "These corners are no quadrilateral within the picture, or could not be stored.",
    "failed": "Something went wrong; the exhibit goes on.",
}
"""Every kind of refusal in English; the pages show their own sentence in the visitor's language."""


class Problem(BaseModel):
    """Why something was refused.

    Attributes:
        error: a word for the page.
        sentence: a sentence for whoever reads the answer itself.
    """

    error: str
    sentence: str


class RefusedError(Exception):
    """Ends a request with a refusal.

    Args:
        status: of HTTP.
        error: a key of ``SENTENCES``.
        wait: seconds after which it may be tried again, where that is known.
    """

    def __init__(self, status: int, error: str, wait: float | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.wait = wait


def refusal(status: int, error: str, wait: float | None = None) -> JSONResponse:
    """The answer that refuses; it quotes nothing of what was asked."""
    headers = {} if wait is None else {"Retry-After": str(max(1, round(wait + 0.5)))}
    problem = Problem(error=error, sentence=SENTENCES[error])
    return JSONResponse(problem.model_dump(), status, headers)
