"""What a refused request gets to read: what is wrong, and nothing that helps a stranger."""

from __future__ import annotations

_SENTENCES = {
    400: "The request broke off.",
    401: "The header Api-Key is missing, or has no key of this flow.",
    403: "The request was not accepted; the log of the serving process says why.",
    404: "Nothing is served at this address.",
    405: "This address does not take this method; the header Allow has those that it does.",
    408: "The request's body took too long.",
    413: "The request's body is too large.",
    431: "The request has too many headers.",
    503: "The database does not confirm that this was stored. Try again.",
}


def refusal(status: int) -> dict[str, str]:
    """Return the JSON body of a response with this status."""
    return {"error": _SENTENCES[status]}
