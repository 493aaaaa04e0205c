"""The tools that only look: single messages, lists, estimates, and what an error code or a failure means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from twilio_component.agent_tools.tool import Tool
from twilio_component.host.errors import InputError, Problem
from twilio_component.twilio.error_codes import explain

if TYPE_CHECKING:
    from twilio_component.host import Host

_SID = {"type": "string", "pattern": "^(SM|MM)[0-9a-fA-F]{32}$", "message": "must be the SID of a message (SM…)"}
# The inputs of listMessages that an agent needs; few words, since each is read in every session.
_LIST = {
    "to": {"type": "string"},
    "from": {"type": "string"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 50},
}
_MOST = 20


def read_only_tools(host: Host, connection: Callable[[], Mapping[str, Any]]) -> Iterator[Tool]:
    """Yield the tools; ``connection`` returns the connection to Twilio when one of them needs it."""

    async def invoke(action: str, inputs: Mapping[str, Any]) -> Any:
        return (await host.invoke_action("twilio", action, inputs))["data"]

    async def get_message(arguments: Mapping[str, Any]) -> Any:
        return await invoke("getSMS", {"twilioConnection": connection(), "sid": arguments["sid"]})

    async def list_messages(arguments: Mapping[str, Any]) -> Any:
        return await invoke("listMessages", {"limit": _MOST, **arguments, "twilioConnection": connection()})

    async def estimate(arguments: Mapping[str, Any]) -> Any:
        return await invoke("estimateMessage", arguments)

    async def explain_code(arguments: Mapping[str, Any]) -> Any:
        return _explanation(arguments["code"])

    async def why(arguments: Mapping[str, Any]) -> Any:
        message = await get_message(arguments)
        code = message.get("errorCode")
        meaning = _explanation(int(code)) if code else {"meaning": "Twilio reports no error for this message."}
        return {"sid": message["sid"], "status": message["status"], **meaning}

    yield Tool(
        name="getSMS", description="One message by its SID.", input_schema=_schema({"sid": _SID}), call=get_message
    )
    yield Tool(
        name="listMessages",
        description="The newest messages, at most 20 unless limit says otherwise.",
        input_schema=_schema(_LIST, required=()),
        call=list_messages,
    )
    yield Tool(
        name="estimateMessage",
        description="Segments and encoding of a text, without sending it.",
        input_schema=_schema({"message": {"type": "string", "minLength": 1}}),
        call=estimate,
        open_world=False,
    )
    yield Tool(
        name="errors",
        description="What a Twilio error code means and what to do.",
        input_schema=_schema({"code": {"type": "integer"}}),
        call=explain_code,
        open_world=False,
    )
    yield Tool(
        name="why", description="Why a message failed, by its SID.", input_schema=_schema({"sid": _SID}), call=why
    )


def _schema(properties: Mapping[str, Any], required: tuple[str, ...] | None = None) -> dict[str, Any]:
    needed = list(properties if required is None else required)
    return {"type": "object", "properties": dict(properties), "required": needed, "additionalProperties": False}


def _explanation(code: int) -> dict[str, Any]:
    found = explain(code)
    if found is None:
        link = f"https://www.twilio.com/docs/errors/{code}"
        raise InputError("The code has no explanation here", [Problem("$.code", f"{code} is not known; see {link}")])
    return {"code": found.code, "meaning": found.meaning, "remedy": found.remedy, "retryable": found.retryable}
