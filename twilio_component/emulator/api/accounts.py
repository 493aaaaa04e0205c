"""The Accounts resource: a cheap way to see that credentials work, and sub-accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.emulator.api.pagination import PageRequest, page_of, page_response
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.model.message import API_VERSION, twilio_date

if TYPE_CHECKING:
    from twilio_component.emulator.model.accounts import Account
    from twilio_component.emulator.state import ApiCall

_STATUSES = ("active", "suspended", "closed")


def fetch(call: ApiCall) -> Response:
    """Return the account itself."""
    return json_response(200, _representation(call.account))


def list_page(call: ApiCall) -> Response:
    """Return the account that asks, and its sub-accounts."""
    arguments = call.request.arguments
    page_request = PageRequest.parse(arguments)
    family = [one for one in call.state.accounts if call.account.sid in (one.sid, one.owner_sid)]
    found = [_representation(one) for one in family if arguments.get("Status") in (None, one.status)]
    return page_response(call.request.path, arguments, page_request, "accounts", page_of(page_request, found))


def create(call: ApiCall) -> Response:
    """Create a sub-account."""
    name = call.request.form.get("FriendlyName") or "SubAccount"
    return json_response(201, _representation(call.state.accounts.create_sub_account(call.account, name)))


def update(call: ApiCall) -> Response:
    """Rename the account, or suspend, close or reopen it."""
    form = call.request.form
    status = form.get("Status")
    if status is not None and status not in _STATUSES:
        raise ApiError(20001, name="Status", reason="active, suspended or closed is allowed")
    call.account.status = status or call.account.status
    call.account.friendly_name = form.get("FriendlyName") or call.account.friendly_name
    call.account.updated = call.state.clock.now()
    return json_response(200, _representation(call.account))


def _representation(account: Account) -> dict[str, Any]:
    uri = f"/{API_VERSION}/Accounts/{account.sid}"
    return {
        "auth_token": account.auth_token,
        "date_created": twilio_date(account.created),
        "date_updated": twilio_date(account.updated),
        "friendly_name": account.friendly_name,
        "owner_account_sid": account.owner_sid,
        "sid": account.sid,
        "status": account.status,
        "subresource_uris": {
            "incoming_phone_numbers": f"{uri}/IncomingPhoneNumbers.json",
            "messages": f"{uri}/Messages.json",
        },
        "type": "Full",
        "uri": f"{uri}.json",
    }
