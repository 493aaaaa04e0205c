"""Verify's services and their rate limits (``/v2/Services``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twilio_component.emulator.api.pagination import PageRequest, meta_page_response, page_of
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.model.messaging_service import iso_date
from twilio_component.emulator.model.sids import is_sid
from twilio_component.emulator.model.verify_service import Bucket, RateLimit, VerifyService

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twilio_component.emulator.http import Fields
    from twilio_component.emulator.state import ApiCall


def find_service(call: ApiCall) -> VerifyService:
    """Return the service in the path; an account without services has every one that is asked for.

    Raises `ApiError` 20404 for a service that does not exist.
    """
    account, sid = call.account, call.names["service"]
    service = account.verify_services.get(sid)
    is_strict = any(one.declared for one in account.verify_services.values())
    if service is None and not is_strict and is_sid(sid, "VA"):
        return VerifyService(account.sid, "Verify", call.state.clock.now(), sid=sid, declared=False)
    if service is None:
        raise ApiError(20404, path=call.request.path)
    return service


def list_page(call: ApiCall) -> Response:
    """Return a page of the account's services, newest first."""
    services = reversed(call.account.verify_services.values())
    return _page(call, "services", [one.representation(call.request.base_url) for one in services])


def create(call: ApiCall) -> Response:
    """Create a service."""
    name = call.request.form.get("FriendlyName")
    if not name:
        raise ApiError(60200, name="FriendlyName", reason="it is required")
    service = VerifyService(call.account.sid, name, call.state.clock.now())
    service.change(call.request.form, call.state.clock.now())
    call.account.verify_services[service.sid] = service
    return json_response(201, service.representation(call.request.base_url))


def fetch(call: ApiCall) -> Response:
    """Return one service."""
    return json_response(200, find_service(call).representation(call.request.base_url))


def update(call: ApiCall) -> Response:
    """Change a service's settings."""
    service = find_service(call)
    service.change(call.request.form, call.state.clock.now())
    return json_response(200, service.representation(call.request.base_url))


def delete(call: ApiCall) -> Response:
    """Delete a service."""
    service = find_service(call)
    call.account.verify_services.pop(service.sid, None)
    return Response(204)


def list_rate_limits(call: ApiCall) -> Response:
    """Return a page of a service's rate limits."""
    service = find_service(call)
    found = [_rate_limit(call, service, one) for one in service.rate_limits.values()]
    return _page(call, "rate_limits", found)


def create_rate_limit(call: ApiCall) -> Response:
    """Create a rate limit. It limits nothing before it has a bucket."""
    service, form = find_service(call), call.request.form
    name = form.get("UniqueName")
    if not name or any(one.unique_name == name for one in service.rate_limits.values()):
        raise ApiError(60200, name="UniqueName", reason="a name that the service does not have yet is required")
    limit = RateLimit(name, call.state.clock.now(), form.get("Description"))
    service.rate_limits[limit.sid] = limit
    return json_response(201, _rate_limit(call, service, limit))


def fetch_rate_limit(call: ApiCall) -> Response:
    """Return one rate limit."""
    service = find_service(call)
    return json_response(200, _rate_limit(call, service, _find_limit(call, service)))


def delete_rate_limit(call: ApiCall) -> Response:
    """Delete a rate limit with its buckets."""
    service = find_service(call)
    del service.rate_limits[_find_limit(call, service).sid]
    return Response(204)


def list_buckets(call: ApiCall) -> Response:
    """Return a page of a rate limit's buckets."""
    service = find_service(call)
    limit = _find_limit(call, service)
    return _page(call, "buckets", [_bucket(call, service, limit, one) for one in limit.buckets.values()])


def create_bucket(call: ApiCall) -> Response:
    """Add a bucket to a rate limit: at most ``Max`` verifications in ``Interval`` seconds."""
    service, form = find_service(call), call.request.form
    limit = _find_limit(call, service)
    bucket = Bucket(_positive(form, "Max"), _positive(form, "Interval"), call.state.clock.now())
    limit.buckets[bucket.sid] = bucket
    return json_response(201, _bucket(call, service, limit, bucket))


def delete_bucket(call: ApiCall) -> Response:
    """Remove a bucket from a rate limit."""
    limit = _find_limit(call, find_service(call))
    if limit.buckets.pop(call.names["bucket"], None) is None:
        raise ApiError(20404, path=call.request.path)
    return Response(204)


def _page(call: ApiCall, key: str, found: Sequence[dict[str, Any]]) -> Response:
    page_request = PageRequest.parse(call.request.arguments)
    return meta_page_response(call.request, page_request, key, page_of(page_request, found))


def _find_limit(call: ApiCall, service: VerifyService) -> RateLimit:
    limit = service.rate_limits.get(call.names["limit"])
    if limit is None:
        raise ApiError(20404, path=call.request.path)
    return limit


def _positive(form: Fields, name: str) -> int:
    text = form.get(name) or ""
    if not text.isdecimal() or int(text) < 1:
        raise ApiError(60200, name=name, reason="an integer from 1 is required")
    return int(text)


def _rate_limit(call: ApiCall, service: VerifyService, limit: RateLimit) -> dict[str, Any]:
    url = f"{call.request.base_url}/v2/Services/{service.sid}/RateLimits/{limit.sid}"
    return {
        "sid": limit.sid,
        "service_sid": service.sid,
        "account_sid": service.account_sid,
        "unique_name": limit.unique_name,
        "description": limit.description,
        "date_created": iso_date(limit.created),
        "date_updated": iso_date(limit.updated),
        "url": url,
        "links": {"buckets": f"{url}/Buckets"},
    }


def _bucket(call: ApiCall, service: VerifyService, limit: RateLimit, bucket: Bucket) -> dict[str, Any]:
    return {
        "sid": bucket.sid,
        "rate_limit_sid": limit.sid,
        "service_sid": service.sid,
        "account_sid": service.account_sid,
        "max": bucket.maximum,
        "interval": bucket.interval,
        "date_created": iso_date(bucket.created),
        "date_updated": iso_date(bucket.updated),
        "url": f"{call.request.base_url}/v2/Services/{service.sid}/RateLimits/{limit.sid}/Buckets/{bucket.sid}",
    }
