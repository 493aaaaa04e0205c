"""Content templates (``/v1/Content``): as far as sending them, and picking one, needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.api.pagination import PageRequest, meta_page_response, page_of
from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.http import Response, json_response
from twilio_component.emulator.model.content_template import ContentTemplate

if TYPE_CHECKING:
    from twilio_component.emulator.state import ApiCall


def list_page(call: ApiCall) -> Response:
    """Return a page of the account's templates, newest first."""
    page_request = PageRequest.parse(call.request.arguments)
    found = [one.representation(call.request.base_url) for one in reversed(call.account.templates.values())]
    return meta_page_response(call.request, page_request, "contents", page_of(page_request, found))


def create(call: ApiCall) -> Response:
    """Create a template from a JSON body."""
    wanted = _json_object(call.request.body)
    types = wanted.get("types")
    if not isinstance(types, dict) or not types or not all(isinstance(one, dict) for one in types.values()):
        raise ApiError(20001, name="types", reason="an object of content types is required")
    if not all(
        isinstance(one.get("body", ""), str) and _is_list_of_texts(one.get("media", [])) for one in types.values()
    ):
        raise ApiError(20001, name="types", reason="body has to be a text, and media a list of URLs")
    variables = wanted.get("variables") or {}
    if not isinstance(variables, dict) or not _is_list_of_texts([*variables.values()]):
        raise ApiError(20001, name="variables", reason="an object of texts is required")
    template = ContentTemplate(
        call.account.sid,
        str(wanted.get("friendly_name") or ""),
        call.state.clock.now(),
        types,
        variables,
        str(wanted.get("language") or "en"),
    )
    call.account.templates[template.sid] = template
    return json_response(201, template.representation(call.request.base_url))


def fetch(call: ApiCall) -> Response:
    """Return one template."""
    return json_response(200, _template(call).representation(call.request.base_url))


def delete(call: ApiCall) -> Response:
    """Delete a template."""
    del call.account.templates[_template(call).sid]
    return Response(204)


def _template(call: ApiCall) -> ContentTemplate:
    template = call.account.templates.get(call.names["template"])
    if template is None:
        raise ApiError(20404, path=call.request.path)
    return template


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(20001, name="body", reason="a JSON object is required")
    return value
