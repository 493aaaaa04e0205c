"""The trigger as users meet it: through a host, with the harness's signed requests, and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from twilio.request_validator import RequestValidator, get_signature_algorithm

from twilio_component.cli.main import main
from twilio_component.emulator.connection import EMULATOR_TOKEN
from twilio_component.host import load_component
from twilio_component.host.errors import InputError
from twilio_component.host.manifest.files import shipped_file
from twilio_component.testing import BlockingHarness, create_connection, signed_payload
from twilio_component.twilio.plugin import manifest_file
from twilio_component.twilio.signatures.verification import WebhookRefusedError, sign, sign_with_shared_key

INBOUND = {"MessageSid": "SM" + "0" * 32, "From": "+15558675310", "To": "+15017122661", "Body": "Hi", "NumMedia": "0"}
URL = "https://hooks.example.com/trigger/flow-1"


def api_key_connection(**more: str) -> dict[str, Any]:
    fields = {"accountSid": "AC" + "0" * 32, "apiKey": "SK" + "0" * 32, "apiSecret": "secret", **more}
    return create_connection("apiKeySecret", fields)


def test_a_signed_request_comes_out_as_the_documented_payload(twilio_harness_blocking: BlockingHarness) -> None:
    result = twilio_harness_blocking.webhook(INBOUND)

    example = json.loads(shipped_file("fixtures/payloads/webhook.json").read_text())
    payload = result["payload"]
    assert [*payload][: len(example["payload"])] == [*example["payload"]]
    assert payload["body"]["data"] == INBOUND
    assert payload["rawBody"]["data"]["type"] == "Buffer"
    assert json.loads(json.dumps(result)) == result
    schema = load_component(manifest_file()).triggers["webhook"].output_schema
    assert list(Draft202012Validator(schema).iter_errors(payload)) == []


@pytest.mark.parametrize(
    "request_options",
    [{}, {"method": "GET"}, {"json_body": {"a": [1, None]}}, {"url": URL + "?a=b%27c'd#rc=3&rp=all"}],
)
def test_the_harness_signs_forms_queries_and_json(
    twilio_harness_blocking: BlockingHarness, request_options: dict[str, Any]
) -> None:
    assert twilio_harness_blocking.webhook(INBOUND, **request_options)["payload"]


def test_the_sdk_accepts_what_the_harness_signs() -> None:
    payload = signed_payload(INBOUND)
    signature = payload["headers"]["X-Twilio-Signature"]
    assert RequestValidator(EMULATOR_TOKEN).validate(payload["invokeUrl"], INBOUND, signature)


def test_a_request_signed_with_another_token_is_refused(twilio_harness_blocking: BlockingHarness) -> None:
    with pytest.raises(WebhookRefusedError) as caught:
        twilio_harness_blocking.webhook(INBOUND, auth_token="another")
    assert caught.value.status == 403
    assert "+15558675310" not in str(caught.value)


def test_either_token_is_accepted_while_one_is_being_rotated(twilio_harness_blocking: BlockingHarness) -> None:
    for token in ("old", "new"):
        twilio_harness_blocking.webhook(
            INBOUND, auth_token=token, params={"authToken": "old", "secondaryAuthToken": "new"}
        )


def test_an_api_key_connection_verifies_with_its_auth_token_alone(twilio_harness_blocking: BlockingHarness) -> None:
    with_token = {"twilioConnection": api_key_connection(authToken="token")}
    assert twilio_harness_blocking.webhook(INBOUND, auth_token="token", params=with_token)

    with pytest.raises(WebhookRefusedError, match="Set the input authToken"):
        twilio_harness_blocking.webhook(INBOUND, auth_token="secret", params={"twilioConnection": api_key_connection()})


SHARED = ("webhooks_sharedkey_01old", "old-secret"), ("webhooks_sharedkey_02new", "new-secret==")


@pytest.mark.parametrize("key", ["webhook", "inboundMessage", "statusCallback"])
def test_every_trigger_of_webhooks_takes_shared_keys_of_its_own_and_of_its_connection(
    twilio_harness_blocking: BlockingHarness, key: str
) -> None:
    request = INBOUND if key != "statusCallback" else {"MessageSid": "SM" + "0" * 32, "MessageStatus": "sent"}
    text = "\n".join(f"{key_id}={secret}" for key_id, secret in SHARED)
    inputs: list[dict[str, Any]] = [
        {"sharedKeys": text},
        {"twilioConnection": api_key_connection(sharedKeys=text)},
        {
            "twilioConnection": api_key_connection(sharedKeys="=".join(SHARED[0])),
            "sharedKeys": "=".join(SHARED[1]),
        },
    ]
    for params in inputs:
        for shared_key in SHARED:
            assert twilio_harness_blocking.webhook(request, key=key, params=params, shared_key=shared_key)["payload"]
    with pytest.raises(WebhookRefusedError, match="which is not among the given ones"):
        twilio_harness_blocking.webhook(
            request, key=key, params={"sharedKeys": "=".join(SHARED[1])}, shared_key=SHARED[0]
        )


def test_a_connection_with_shared_keys_keeps_accepting_its_auth_token(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    connection = api_key_connection(authToken="token", sharedKeys="=".join(SHARED[0]))
    twilio_harness_blocking.webhook(INBOUND, auth_token="token", params={"twilioConnection": connection})


def test_shared_keys_that_are_none_are_refused_before_any_request_and_not_shown(
    twilio_harness_blocking: BlockingHarness,
) -> None:
    for params in ({"sharedKeys": "my-secret"}, {"twilioConnection": api_key_connection(sharedKeys="my-secret")}):
        with pytest.raises(InputError, match="sharedKeys: must have shared keys of the form id=secret") as caught:
            twilio_harness_blocking.webhook(INBOUND, params=params)
        assert "my-secret" not in str(caught.value)


def test_a_connection_with_shared_keys_sends(twilio_harness_blocking: BlockingHarness) -> None:
    connection = api_key_connection(sharedKeys="=".join(SHARED[0]))
    sms = {"twilioConnection": connection, "to": "+15558675310", "from": "+15017122661", "message": "Hi"}
    assert twilio_harness_blocking.action("sendSMS", sms)["data"]["status"] == "queued"


def test_the_sdk_accepts_what_the_harness_signs_with_a_shared_key() -> None:
    payload = signed_payload(INBOUND, shared_key=SHARED[1])
    algorithm = get_signature_algorithm(payload["headers"]["X-Twilio-Webhooks-Signature-Settings"])
    validator = RequestValidator(SHARED[1][1])
    signature = payload["headers"]["X-Twilio-Signature"]
    assert validator.validate(payload["invokeUrl"], INBOUND, signature, algorithm)


def test_only_an_explicit_false_turns_the_check_off(twilio_harness_blocking: BlockingHarness) -> None:
    unsigned = signed_payload(INBOUND)
    del unsigned["headers"]["X-Twilio-Signature"]

    for off in (False, "false", "no"):
        assert twilio_harness_blocking.trigger("webhook", unsigned, {"validateSignature": off})
    for on in ("", None, True, "true"):
        with pytest.raises(WebhookRefusedError):
            twilio_harness_blocking.trigger("webhook", unsigned, {"validateSignature": on})
    with pytest.raises(InputError):
        twilio_harness_blocking.trigger("webhook", unsigned, {"validateSignature": "perhaps"})


class TestExplaining:
    @pytest.fixture
    def command(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """`signature explain` for a request that Twilio signed for another URL."""
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", "token")
        (tmp_path / "body").write_bytes(b"From=%2B15558675310&Body=Hi")
        signature = sign("token", "https://example.com/sms", [("From", "+15558675310"), ("Body", "Hi")])
        (tmp_path / "headers").write_text(
            f"X-Twilio-Signature: {signature}\n\nContent-Type: application/x-www-form-urlencoded\n"
        )
        return ["signature", "explain", "--headers", f"{tmp_path / 'headers'}", "--body", f"{tmp_path / 'body'}"]

    def test_the_right_url_is_accepted(self, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main([*command, "--url", "https://example.com/sms"]) == 0
        assert capsys.readouterr().out.startswith("Accepted")

    def test_a_wrong_url_is_refused_with_the_one_that_matches(
        self, command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([*command, "--url", "http://example.com/sms/"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert "https://example.com/sms " in said.err
        assert "15558675310" not in said.err

    def test_the_token_may_come_from_a_connection(
        self, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TWILIO_AUTH_TOKEN")
        (tmp_path / "c.yaml").write_text("key: basic\nfields: {username: AC1, password: token}\n")
        assert main([*command, "--url", "https://example.com/sms", "--connection", f"{tmp_path / 'c.yaml'}"]) == 0

    def test_shared_keys_come_from_their_variable_or_from_a_connection(
        self, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        url = "https://example.com/sms"
        signed = sign_with_shared_key("k1", "secret==", url, [("From", "+15558675310"), ("Body", "Hi")])
        (tmp_path / "headers").write_text("\n".join(f"{name}: {value}" for name, value in signed.items()))
        assert main([*command, "--url", url]) == 1
        assert "the shared key k1, which is not among the given keys" in capsys.readouterr().err

        monkeypatch.setenv("TWILIO_SHARED_KEYS", "k0=other k1=secret==")
        assert main([*command, "--url", url]) == 0
        assert main([*command, "--url", f"{url}/"]) == 1
        assert "no trailing slash" in capsys.readouterr().err

        monkeypatch.delenv("TWILIO_SHARED_KEYS")
        (tmp_path / "c.yaml").write_text("key: apiKeySecret\nfields: {sharedKeys: k1=secret==}\n")
        assert main([*command, "--url", url, "--connection", f"{tmp_path / 'c.yaml'}"]) == 0

    def test_shared_keys_that_are_none_are_a_usage_error_that_shows_nothing_of_them(
        self, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("TWILIO_SHARED_KEYS", "my-secret")
        assert main([*command, "--url", "https://example.com/sms"]) == 2
        said = capsys.readouterr().err
        assert "of the form id=secret" in said
        assert "my-secret" not in said

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            (["--header", "no colon"], "Name: value"),
            (["--body", "/does/not/exist"], "/does/not/exist"),
        ],
    )
    def test_what_cannot_be_read_is_named(
        self, command: list[str], capsys: pytest.CaptureFixture[str], more: list[str], said: str
    ) -> None:
        assert main([*command, "--url", "https://example.com/sms", *more]) == 2
        assert said in capsys.readouterr().err

    def test_without_a_token_it_says_where_to_put_one(
        self, command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TWILIO_AUTH_TOKEN")
        assert main([*command, "--url", "https://example.com/sms"]) == 2
        assert "TWILIO_AUTH_TOKEN" in capsys.readouterr().err
