"""Which request is whose: the paths of the API as data, and the way of one request to its handler."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twilio_component.emulator.api import (
    accounts,
    content,
    lookups,
    media,
    messages,
    messaging_services,
    phone_numbers,
    verifications,
    verify_services,
)
from twilio_component.emulator.api.unsupported import not_emulated
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.state import ApiCall, EmulatorState

if TYPE_CHECKING:
    from twilio_component.emulator.http import Request, Response
    from twilio_component.emulator.model.accounts import Account

_ACCOUNTS = "/2010-04-01/Accounts"
_ACCOUNT = _ACCOUNTS + "/{account}"
_MESSAGE = _ACCOUNT + "/Messages/{message}"
_NUMBERS = _ACCOUNT + "/IncomingPhoneNumbers"
_SERVICE = "/v1/Services/{service}"
_VERIFY = "/v2/Services/{service}"
_LIMIT = _VERIFY + "/RateLimits/{limit}"
# Paths, and the products that have them: Twilio has a host for each product.
_PRODUCTS = {
    "/2010-04-01": "api",
    "/v1/Services": "messaging",
    "/v1/Content": "content",
    "/v2/Services": "verify",
    "/v2/PhoneNumbers": "lookups",
    "/media": "media",
}
# What these names stand for may have a dot in it: an email address, or a number as it was typed.
_WITH_DOTS = ("verification", "phone")


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: ``name`` is its name in logs, rules and faults. A ``public`` one needs no credentials."""

    method: str
    path: str
    name: str
    handler: Callable[[ApiCall], Response]
    public: bool = False

    @property
    def product(self) -> str:
        """The first label of the host that has it: ``api`` of ``api.twilio.com`` and ``api.dublin.ie1.twilio.com``."""
        return next(product for prefix, product in _PRODUCTS.items() if self.path.startswith(prefix))


ROUTES = (
    Route("POST", _ACCOUNT + "/Messages.json", "messages.create", messages.create),
    Route("GET", _ACCOUNT + "/Messages.json", "messages.list", messages.list_page),
    Route("GET", _MESSAGE + ".json", "messages.fetch", messages.fetch),
    Route("POST", _MESSAGE + ".json", "messages.update", messages.update),
    Route("DELETE", _MESSAGE + ".json", "messages.delete", messages.delete),
    Route("GET", _MESSAGE + "/Media.json", "media.list", messages.list_media),
    Route("GET", _MESSAGE + "/Media/{media}.json", "media.fetch", messages.fetch_media),
    Route("GET", _MESSAGE + "/Media/{media}", "media.content", messages.media_content),
    Route("DELETE", _MESSAGE + "/Media/{media}.json", "media.delete", messages.delete_media),
    Route("GET", media.PATH, "media.file", media.fetch, public=True),
    Route("POST", _MESSAGE + "/Feedback.json", "feedback.create", messages.create_feedback),
    Route("GET", _NUMBERS + ".json", "numbers.list", phone_numbers.list_page),
    Route("POST", _NUMBERS + ".json", "numbers.create", phone_numbers.create),
    Route("GET", _NUMBERS + "/{number}.json", "numbers.fetch", phone_numbers.fetch),
    Route("POST", _NUMBERS + "/{number}.json", "numbers.update", phone_numbers.update),
    Route("DELETE", _NUMBERS + "/{number}.json", "numbers.delete", phone_numbers.delete),
    Route("GET", _ACCOUNT + ".json", "accounts.fetch", accounts.fetch),
    Route("POST", _ACCOUNT + ".json", "accounts.update", accounts.update),
    Route("GET", _ACCOUNTS + ".json", "accounts.list", accounts.list_page),
    Route("POST", _ACCOUNTS + ".json", "accounts.create", accounts.create),
    Route("GET", "/v1/Services", "services.list", messaging_services.list_page),
    Route("POST", "/v1/Services", "services.create", messaging_services.create),
    Route("GET", _SERVICE, "services.fetch", messaging_services.fetch),
    Route("POST", _SERVICE, "services.update", messaging_services.update),
    Route("DELETE", _SERVICE, "services.delete", messaging_services.delete),
    Route("GET", _SERVICE + "/PhoneNumbers", "services.numbers.list", messaging_services.list_numbers),
    Route("POST", _SERVICE + "/PhoneNumbers", "services.numbers.add", messaging_services.add_number),
    Route("GET", _SERVICE + "/PhoneNumbers/{number}", "services.numbers.fetch", messaging_services.fetch_number),
    Route("DELETE", _SERVICE + "/PhoneNumbers/{number}", "services.numbers.remove", messaging_services.remove_number),
    Route("GET", "/v1/Content", "content.list", content.list_page),
    Route("POST", "/v1/Content", "content.create", content.create),
    Route("GET", "/v1/Content/{template}", "content.fetch", content.fetch),
    Route("DELETE", "/v1/Content/{template}", "content.delete", content.delete),
    Route("GET", "/v2/Services", "verify.services.list", verify_services.list_page),
    Route("POST", "/v2/Services", "verify.services.create", verify_services.create),
    Route("GET", _VERIFY, "verify.services.fetch", verify_services.fetch),
    Route("POST", _VERIFY, "verify.services.update", verify_services.update),
    Route("DELETE", _VERIFY, "verify.services.delete", verify_services.delete),
    Route("GET", _VERIFY + "/RateLimits", "verify.rateLimits.list", verify_services.list_rate_limits),
    Route("POST", _VERIFY + "/RateLimits", "verify.rateLimits.create", verify_services.create_rate_limit),
    Route("GET", _LIMIT, "verify.rateLimits.fetch", verify_services.fetch_rate_limit),
    Route("DELETE", _LIMIT, "verify.rateLimits.delete", verify_services.delete_rate_limit),
    Route("GET", _LIMIT + "/Buckets", "verify.buckets.list", verify_services.list_buckets),
    Route("POST", _LIMIT + "/Buckets", "verify.buckets.create", verify_services.create_bucket),
    Route("DELETE", _LIMIT + "/Buckets/{bucket}", "verify.buckets.delete", verify_services.delete_bucket),
    Route("POST", _VERIFY + "/Verifications", "verifications.create", verifications.create),
    Route("GET", _VERIFY + "/Verifications/{verification}", "verifications.fetch", verifications.fetch),
    Route("POST", _VERIFY + "/Verifications/{verification}", "verifications.update", verifications.update),
    Route("POST", _VERIFY + "/VerificationCheck", "verifications.check", verifications.check),
    Route("GET", "/v2/PhoneNumbers/{phone}", "lookups.fetch", lookups.fetch),
)

OPERATIONS = frozenset(route.name for route in ROUTES)
# Twilio's test credentials can do nothing else.
_OPEN_TO_TEST_CREDENTIALS = frozenset({"messages.create", "numbers.create"})


def _path_pattern(path: str) -> re.Pattern[str]:
    def group(name: re.Match[str]) -> str:
        return f"(?P<{name[1]}>{'[^/]+' if name[1] in _WITH_DOTS else '[^/.]+'})"

    return re.compile(re.sub(r"\{(\w+)\}", group, path.replace(".", r"\.")))


_PATHS = [
    (_path_pattern(path), {one.method: one for one in ROUTES if one.path == path})
    for path in dict.fromkeys(one.path for one in ROUTES)
]


@dataclass(frozen=True, slots=True)
class Match:
    """Where a request leads. Without a ``route``, ``methods`` are the ones that its path has: none, if unknown."""

    route: Route | None
    names: Mapping[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def _product_of_host(base_url: str) -> str | None:
    """Return the product whose host a client asks; None for a host that is not Twilio's."""
    host = urlsplit(base_url).hostname or ""
    return host.partition(".")[0] if host.endswith(".twilio.com") else None


def match(request: Request) -> Match:
    """Find the route of a request. On a host of Twilio's there are only the paths of its product."""
    product = _product_of_host(request.base_url)
    for pattern, by_method in _PATHS:
        found = pattern.fullmatch(request.path)
        if found is not None and (product is None or product == next(iter(by_method.values())).product):
            return Match(by_method.get(request.method), found.groupdict(), tuple(by_method))
    return Match(None)


def respond(state: EmulatorState, request: Request, matched: Match) -> Response:
    """Return the response to one request."""
    if matched.route is None:
        if matched.methods:
            return ApiError(20004, headers={"Allow": ", ".join(matched.methods)}).response()
        return not_emulated(request.path) or ApiError(20404, path=request.path).response()
    try:
        account = _account(state, request, matched.route, matched.names)
        return matched.route.handler(ApiCall(state, account, request, matched.names))
    except ApiError as error:
        return error.response()


def _account(state: EmulatorState, request: Request, route: Route, names: Mapping[str, str]) -> Account:
    if route.public:
        account = next((one for one in state.accounts if one.sid == names["account"]), None)
        if account is None:
            raise ApiError(20404, path=request.path)
        return account
    account = state.accounts.authenticate(request.headers.get("authorization"), names.get("account"))
    if account.test and route.name not in _OPEN_TO_TEST_CREDENTIALS:
        raise ApiError(20008)
    return account
