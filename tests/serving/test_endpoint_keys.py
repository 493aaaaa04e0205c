"""Who may call a flow's webhook: keys in the header Api-Key, and signatures of other services."""

from __future__ import annotations

import base64
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.handlers import FakeEngine, application

from twilio_component.cli.main import main
from twilio_component.flows import Configuration, load_integration
from twilio_component.host.errors import InputError, PerformError
from twilio_component.serving.endpoint_keys import EndpointKeys
from twilio_component.testing import Harness

FLOW = """\
name: Demo
flows:
  - name: Guarded
    SECURITY
    steps:
      - {name: Trigger, isTrigger: true, action: webhook-triggers.webhook}
"""
KEY, OTHER = "a-secret-key", "another-secret"
ORGANIZATION = f'endpointSecurityType: organization\n    organizationApiKeys: ["{KEY}", "{OTHER}"]'


async def call(folder: Path, security: str, keys: dict[str, Any], headers: Any, engine: FakeEngine) -> httpx.Response:
    (folder / "flow.yaml").write_text(FLOW.replace("SECURITY", security or "isSynchronous: false"), encoding="utf-8")
    configuration = Configuration(durability={"endpointKeys": keys} if keys else {})
    url = "https://flows.example.com"
    async with (
        application(folder / "flow.yaml", engine, public_url=url, configuration=configuration) as app,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url) as client,
    ):
        return await client.post("/demo/guarded", json={}, headers=headers)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("security", "keys", "headers", "status"),
    [
        ("", {}, {}, 200),
        ("endpointSecurityType: unsecured", {}, {}, 200),
        (ORGANIZATION, {}, {}, 401),
        (ORGANIZATION, {}, {"Api-Key": ""}, 401),
        (ORGANIZATION, {}, {"Api-Key": KEY[:-1]}, 401),
        (ORGANIZATION, {}, {"Api-Key": KEY + "x"}, 401),
        (ORGANIZATION, {}, {"Authorization": KEY}, 401),
        (ORGANIZATION, {}, {"Api-Key": KEY}, 200),
        (ORGANIZATION, {}, {"api-key": OTHER}, 200),
        (ORGANIZATION, {}, [("Api-Key", KEY), ("Api-Key", KEY)], 401),
        (ORGANIZATION, {"Guarded": ["third-secret"]}, {"Api-Key": "third-secret"}, 200),
        ("endpointSecurityType: customer_optional", {"Guarded": [KEY, OTHER]}, {}, 401),
        ("", {"Guarded": [KEY, OTHER]}, {"Api-Key": OTHER}, 200),
        ("endpointSecurityType: customer_required", {"Guarded": [KEY]}, {"Api-Key": OTHER}, 401),
        ("endpointSecurityType: customer_required", {"Guarded": [KEY]}, {"Api-Key": KEY}, 200),
    ],
)
async def test_a_request_starts_the_flow_with_one_of_its_keys(
    security: str, keys: dict[str, Any], headers: Any, status: int, tmp_path: Path
) -> None:
    engine = FakeEngine()
    response = await call(tmp_path, security, keys, headers, engine)
    assert response.status_code == status
    assert len(engine.begun) == (status == 200)
    # No key that somebody has shown is stored, nor one that only the configuration has.
    stored = json.dumps([[dict(new.payload), dict(new.trigger or {})] for new in engine.begun.values()])
    assert KEY not in stored
    assert OTHER not in stored


@pytest.mark.anyio
async def test_the_payload_shows_which_keys_the_flow_has(tmp_path: Path) -> None:
    engine = FakeEngine()
    await call(tmp_path, "", {"Guarded": [KEY]}, {"Api-Key": KEY}, engine)
    (new,) = engine.begun.values()
    assert new.payload["webhookApiKeys"] == {"Guarded": ["***ey"]}


def flows(security: str) -> Any:
    return load_integration("flow.yaml", text=FLOW.replace("SECURITY", security or "isSynchronous: false")).flows


def test_keys_come_from_the_environment_or_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{KEY}\n{OTHER}\n")
    for value in ({"environment": "KEYS"}, {"file": str(tmp_path / "keys")}):
        keys = EndpointKeys({"Guarded": value}, {"KEYS": f"{KEY},{OTHER}"}, flows(""))
        (flow,) = flows("")
        assert [keys.allow(flow, {"api-key": key}) for key in (KEY, OTHER, "x", "")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("security", "section", "reason"),
    [
        (
            "endpointSecurityType: customer_required",
            {},
            "is needed: the flow has endpointSecurityType: customer_required",
        ),
        ("endpointSecurityType: organization", {}, "is needed: the flow has endpointSecurityType: organization"),
        ("endpointSecurityType: unsecured", {"Guarded": [KEY]}, "so no key is checked"),
        ("", {"Guardd": [KEY]}, "is not a flow that is served; did you mean 'Guarded'"),
        ("", {"Guarded": {"environment": "NOTHING"}}, "the environment variable NOTHING is not set"),
        ("", {"Guarded": {"file": "/nowhere"}}, "its file /nowhere cannot be read: No such file"),
        ("", {"Guarded": []}, "at least 8 printable"),
        ("", {"Guarded": ["short"]}, "at least 8 printable"),
        ("", {"Guarded": KEY}, "must be a list of keys"),
    ],
)
def test_keys_that_cannot_be_honoured_refuse_the_start(security: str, section: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError) as refused:
        EndpointKeys(section, {}, flows(security))
    assert reason in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("security", "reason"),
    [
        ("endpointSecurityType: organisation", "must be unsecured, customer_optional"),
        ("organizationApiKeys: [a-secret-key]", "organizationApiKeys need endpointSecurityType: organization"),
        ("endpointSecurityType: organization\n    organizationApiKeys: a-secret-key", "must be a list of texts"),
        ("queueConfig: {concurrencyLimit: 3}", "only allowed with usesFifoQueue: true"),
        ("queueConfig: {usesFifoQueue: true, concurrencyLimit: 16}", "must be a whole number from 2 to 15"),
        ("queueConfig: {usesFifoQueu: true}", "did you mean 'usesFifoQueue'"),
        ("queueConfig: [1]", "queueConfig must be an object"),
    ],
)
def test_what_a_definition_says_wrong_is_found(
    security: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW.replace("SECURITY", security), encoding="utf-8")
    assert main(["flow", "check", str(tmp_path / "flow.yaml")]) == 2
    assert reason in capsys.readouterr().out


def signature(secret: str, text: bytes, name: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), text, name).digest()


BODY = b'{"a": 1}'
NOW = "1800000000"
INPUTS = {"hmacHeaderName": "X-Signature", "secretKey": "the-secret"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("inputs", "headers", "reason"),
    [
        ({}, {"X-Signature": signature("the-secret", BODY).hex()}, ""),
        ({}, {"x-signature": signature("the-secret", BODY).hex()}, ""),
        ({}, {"X-Signature": signature("other", BODY).hex()}, "is not that of the body"),
        ({}, {"X-Signature": signature("the-secret", BODY + b" ").hex()}, "is not that of the body"),
        ({}, {"X-Signature": ""}, "is not that of the body"),
        ({}, {}, "has no header X-Signature"),
        ({"secretKey": "new\nthe-secret\n"}, {"X-Signature": signature("the-secret", BODY).hex()}, ""),
        ({"secretKey": "new\nthe-secret\n"}, {"X-Signature": signature("new", BODY).hex()}, ""),
        ({"signaturePrefix": "sha256="}, {"X-Signature": "sha256=" + signature("the-secret", BODY).hex()}, ""),
        ({"signaturePrefix": "sha256="}, {"X-Signature": signature("the-secret", BODY).hex()}, "signaturePrefix"),
        ({"hmacHashFunction": "sha512"}, {"X-Signature": signature("the-secret", BODY, "sha512").hex()}, ""),
        (
            {"signatureEncoding": "base64"},
            {"X-Signature": base64.b64encode(signature("the-secret", BODY)).decode()},
            "",
        ),
        (
            {"timestampHeader": "X-Time", "signedContent": "v0:{timestamp}:{body}"},
            {"X-Time": NOW, "X-Signature": signature("the-secret", f"v0:{NOW}:".encode() + BODY).hex()},
            "",
        ),
        (
            {"timestampHeader": "X-Time", "signedContent": "v0:{timestamp}:{body}"},
            {"X-Time": "1000", "X-Signature": signature("the-secret", b"v0:1000:" + BODY).hex()},
            "more than 300 seconds away",
        ),
        ({"timestampHeader": "X-Time"}, {"X-Time": "now", "X-Signature": "x"}, "not a number of seconds"),
    ],
)
async def test_a_webhook_of_another_service_is_verified(
    monkeypatch: pytest.MonkeyPatch, inputs: dict[str, Any], headers: dict[str, str], reason: str
) -> None:
    monkeypatch.setattr("twilio_component.builtins.hmac_webhooks.time.time", lambda: float(NOW))
    request = {"headers": {"Content-Type": "application/json", **headers}, "rawBody": {"data": BODY}}
    async with Harness("hash") as harness:
        if reason:
            with pytest.raises(PerformError, match=reason):
                await harness.trigger("hmacWebhookTrigger", request, INPUTS | inputs)
        else:
            invoked = await harness.trigger("hmacWebhookTrigger", request, INPUTS | inputs)
            assert invoked["payload"]["body"]["data"] == {"a": 1}
