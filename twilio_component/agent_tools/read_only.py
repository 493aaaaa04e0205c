"""The tools that only look: single messages, lists, estimates, and what an error code or a failure means."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twilio_component.agent_tools.tool import Tool
from twilio_component.host.connections import connection_from_environment
from twilio_component.host.errors import InputError, Problem
from twilio_component.twilio.error_codes import explain

if TYPE_CHECKING:
    from twilio_component.durable.deployment import LoadedDefinition
    from twilio_component.host import Host

_LOGGER = logging.getLogger("twilio_component.agent_tools")
_SID = {"type": "string", "pattern": "^(SM|MM)[0-9a-fA-F]{32}$", "message": "must be the SID of a message (SM…)"}
# The inputs of listMessages that an agent needs; few words, since each is read in every session.
_LIST = {
    "to": {"type": "string"},
    "from": {"type": "string"},
    "limit": {"type": "integer", "minimum": 1, "maximum": 50},
}
_MOST = 20


def connection_to_look(
    definitions: Sequence[LoadedDefinition], host: Host, environment: Mapping[str, str]
) -> Callable[[], Mapping[str, Any]] | None:
    """Return what gives the connection to Twilio that all the flows have, or else the environment's.

    None if there is neither, which is logged: the tools that need a connection are not offered then.
    """
    of_flows: list[Mapping[str, Any]] = []
    for one in definitions:
        for key, variable in one.integration.config_variables.items():
            value = one.values.by_name.get(key)
            if variable.is_connection and variable.component == "twilio" and value and value not in of_flows:
                of_flows.append(value)
    if len(of_flows) == 1:
        return lambda: of_flows[0]
    component = host.components["twilio"]
    try:
        connection_from_environment(component, environment)
    except InputError:
        reason = "the flows have several connections, and" if of_flows else "no flow has a connection, and"
        text = "getSMS, listMessages and why are not offered: %s neither --connection nor the environment gives one"
        _LOGGER.warning(text, reason)
        return None
    # A credential that is exchanged while the server runs is read anew.
    return lambda: connection_from_environment(component, environment)


def read_only_tools(host: Host, connection: Callable[[], Mapping[str, Any]] | None) -> Iterator[Tool]:
    """Yield the tools; ``connection`` returns the connection to Twilio when one of them needs it.

    Without it those that need one are left out.
    """
    if connection is not None:
        yield from _tools_that_look(host, connection)
    yield from _tools_that_compute(host)


def _tools_that_look(host: Host, connection: Callable[[], Mapping[str, Any]]) -> Iterator[Tool]:
    async def invoke(action: str, inputs: Mapping[str, Any]) -> Any:
        return (await host.invoke_action("twilio", action, inputs))["data"]

    async def get_message(arguments: Mapping[str, Any]) -> Any:
        return await invoke("getSMS", {"twilioConnection": connection(), "sid": arguments["sid"]})

    async def list_messages(arguments: Mapping[str, Any]) -> Any:
        return await invoke("listMessages", {"limit": _MOST, **arguments, "twilioConnection": connection()})

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
        name="why", description="Why a message failed, by its SID.", input_schema=_schema({"sid": _SID}), call=why
    )


def _tools_that_compute(host: Host) -> Iterator[Tool]:
    async def estimate(arguments: Mapping[str, Any]) -> Any:
        return (await host.invoke_action("twilio", "estimateMessage", arguments))["data"]

    async def explain_code(arguments: Mapping[str, Any]) -> Any:
        return _explanation(arguments["code"])

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


def _schema(properties: Mapping[str, Any], required: tuple[str, ...] | None = None) -> dict[str, Any]:
    needed = list(properties if required is None else required)
    return {"type": "object", "properties": dict(properties), "required": needed, "additionalProperties": False}


def _explanation(code: int) -> dict[str, Any]:
    found = explain(code)
    if found is None:
        link = f"https://www.twilio.com/docs/errors/{code}"
        raise InputError("The code has no explanation here", [Problem("$.code", f"{code} is not known; see {link}")])
    return {"code": found.code, "meaning": found.meaning, "remedy": found.remedy, "retryable": found.retryable}
