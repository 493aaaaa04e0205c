"""Bad input, tried as a new user would: the message names the input, what is wrong with it, and what is allowed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from twilio_component.host import Host, load_component
from twilio_component.host.errors import IntegrationError
from twilio_component.testing import create_connection, emulator_connection
from twilio_component.twilio.plugin import manifest_file

GOOD: dict[str, dict[str, Any]] = {
    "sendSMS": {"to": "+15558675310", "from": "+15017122661", "message": "Hi"},
    "sendAndWait": {"to": "+15558675310", "from": "+15017122661", "message": "Can you come?", "deadline": "2h"},
    "getSMS": {"sid": "SM" + "0" * 32},
    "listMessages": {},
    "deleteMessage": {"sid": "SM" + "0" * 32},
    "redactMessage": {"sid": "SM" + "0" * 32},
    "cancelMessage": {"sid": "SM" + "0" * 32},
    "listMedia": {"sid": "SM" + "0" * 32},
    "downloadMedia": {"messageSid": "MM" + "0" * 32, "mediaSid": "ME" + "0" * 32},
    "sendFeedback": {"sid": "SM" + "0" * 32},
    "estimateMessage": {"message": "Hi"},
    "explainDelivery": {"sid": "SM" + "0" * 32},
    "waitForDelivery": {"sid": "SM" + "0" * 32},
    "rawRequest": {"method": "GET", "url": "/Accounts.json"},
    "webhook": {},
    "inboundMessage": {},
    "statusCallback": {},
    "conversationEvent": {},
    "pollChangesTrigger": {},
    "startVerification": {"serviceSid": "VA" + "0" * 32, "to": "+15558675310"},
    "checkVerification": {"serviceSid": "VA" + "0" * 32, "to": "+15558675310", "code": "123456"},
    "lookupPhoneNumber": {"phoneNumber": "+15558675310"},
    "selectVerifyService": {},
    "selectMessage": {},
    "selectPhoneNumber": {},
    "selectMessagingService": {},
    "selectContentTemplate": {},
}
SERVICE = {"messagingServiceSid": "MG" + "0" * 32}
NUMBER = "The recipient must be a valid phone number"
SENDER = "The sender must be a phone number, a short code, an alphanumeric sender ID or a channel address"
FLAG = "must be true or false, not"
PAIRS = "must be a list, not a whole number"
# The action, the input, what is given (None: nothing), the others that go with it, and what is said.
Row = tuple[str, str, Any, dict[str, Any], str]
TABLE: list[Row] = [
    ("sendSMS", "to", None, {}, "$.inputs.to: is required"),
    ("sendSMS", "to", "", {}, "$.inputs.to: is required"),
    ("sendSMS", "to", "12", {}, f"$.inputs.to: {NUMBER}: it has too few digits for the region US"),
    (
        "sendSMS",
        "to",
        "7911 123456",
        {},
        f"$.inputs.to: {NUMBER}: the region US has no such number, and without + and a country code",
    ),
    ("sendSMS", "to", "call me", {}, f"$.inputs.to: {NUMBER}: it may have only digits"),
    ("sendSMS", "to", "+1555867\x005310", {}, f"$.inputs.to: {NUMBER}: it may have only digits"),
    (
        "sendSMS",
        "to",
        "telegram:+15558675310",
        {},
        f"$.inputs.to: {NUMBER}: the channel before the colon must be one of",
    ),
    ("sendSMS", "to", ["+15558675310"], {}, "$.inputs.to: must be text, not a list"),
    ("sendSMS", "to", "+1" + "5" * 40, {}, f"$.inputs.to: {NUMBER}: it has too many digits"),
    ("sendSMS", "from", "", {}, "$.inputs: needs a sender; give from or messagingServiceSid"),
    ("sendSMS", "from", "🏥 Clinic", {}, f"$.inputs.from: {SENDER}"),
    ("sendSMS", "from", "A much too long name", {}, f"$.inputs.from: {SENDER}"),
    ("sendSMS", "from", {"of": 1}, {}, "$.inputs.from: must be text, not an object"),
    ("sendSMS", "message", "", {}, "$.inputs: needs something to send; give message, mediaUrl or contentSid"),
    ("sendSMS", "message", "x" * 1601, {}, "$.inputs.message: must have at most 1,600 characters, not 1,601"),
    ("sendSMS", "message", ["Hi"], {}, "$.inputs.message: must be text, not a list"),
    ("sendSMS", "message", "\ud83d", {}, "$.inputs.message: contains an unpaired surrogate"),
    (
        "sendSMS",
        "messagingServiceSid",
        "AC" + "0" * 32,
        {},
        "so it is an Account SID; a messaging service SID belongs here (MG…)",
    ),
    (
        "sendSMS",
        "messagingServiceSid",
        "MG123",
        {},
        "$.inputs.messagingServiceSid: must be a messaging service SID: MG and 32",
    ),
    ("sendSMS", "mediaUrl", "map.png", {}, "$.inputs.mediaUrl[0]: must be an absolute URL that starts with https://"),
    ("sendSMS", "mediaUrl", ["https://a.example/x"] * 11, {}, "$.inputs.mediaUrl: must have at most 10 items, not 11"),
    ("sendSMS", "statusCallback", "example.com/s", {}, "$.inputs.statusCallback: must be an absolute URL"),
    (
        "sendSMS",
        "statusCallback",
        "https://a.example/\n",
        {"statusCallback2": 1},
        "$.inputs.statusCallback2: is not known; did you mean",
    ),
    (
        "sendSMS",
        "contentSid",
        "template",
        {"message": None},
        "$.inputs.contentSid: must be a content template SID: HX and 32",
    ),
    ("sendSMS", "contentSid", "HX" + "0" * 32, {}, "$.inputs: cannot have both message and contentSid"),
    (
        "sendSMS",
        "contentVariables",
        "Ada",
        {"contentSid": "HX" + "0" * 32, "message": None},
        "$.inputs.contentVariables: must be an object, not text",
    ),
    (
        "sendSMS",
        "contentVariables",
        {"1": "x"},
        {},
        "$.inputs.contentVariables: can only be used together with contentSid",
    ),
    ("sendSMS", "sendAt", "tomorrow", SERVICE, "$.inputs.sendAt: must be a date and time such as 2026-01-31T12:00:00Z"),
    ("sendSMS", "sendAt", "2026-12-24T17:00:00", SERVICE, "$.inputs.sendAt: must include a time zone"),
    (
        "sendSMS",
        "sendAt",
        "2026-12-24T17:00:00Z",
        {},
        "$.inputs.sendAt: can only be used together with messagingServiceSid",
    ),
    ("sendSMS", "validityPeriod", "0", {}, "$.inputs.validityPeriod: must be at least 1, not 0"),
    ("sendSMS", "validityPeriod", 36001, {}, "$.inputs.validityPeriod: must be at most 36000, not 36001"),
    ("sendSMS", "validityPeriod", "ten", {}, "$.inputs.validityPeriod: must be a whole number, not text"),
    ("sendSMS", "shortenUrls", "perhaps", SERVICE, f"$.inputs.shortenUrls: {FLAG} text"),
    ("sendSMS", "smartEncoded", 2, {}, f"$.inputs.smartEncoded: {FLAG} a whole number"),
    ("sendSMS", "sendAsMms", "on", {}, f"$.inputs.sendAsMms: {FLAG} text"),
    ("sendSMS", "provideFeedback", [1], {}, f"$.inputs.provideFeedback: {FLAG} a list"),
    ("sendSMS", "attempt", -1, {}, "$.inputs.attempt: must be at least 1, not -1"),
    ("sendSMS", "forceDelivery", "maybe", {}, f"$.inputs.forceDelivery: {FLAG} text"),
    ("sendSMS", "riskCheck", "enabled", {}, "$.inputs.riskCheck: must be enable or disable, not 'enabled'"),
    ("sendSMS", "contentRetention", "keep", {}, "$.inputs.contentRetention: must be retain or discard, not 'keep'"),
    ("sendSMS", "addressRetention", True, {}, "$.inputs.addressRetention: must be retain or obfuscate, not 'true'"),
    ("sendSMS", "persistentAction", [""], {}, "$.inputs.persistentAction[0]: must not be empty"),
    ("sendSMS", "messageIntent", {"of": 1}, {}, "$.inputs.messageIntent: must be text, not an object"),
    ("sendSMS", "applicationSid", "AP", {}, "$.inputs.applicationSid: must be a TwiML application SID: AP and 32"),
    ("sendSMS", "trafficType", "paid", {}, "$.inputs.trafficType: must be free, not 'paid'"),
    (
        "sendSMS",
        "fallbackFrom",
        "+15017122661",
        {},
        "$.inputs.fallbackFrom: can only be used together with messagingServiceSid",
    ),
    ("sendSMS", "defaultRegion", "usa", {}, "$.inputs.defaultRegion: must be a country code of two capital letters"),
    ("sendAndWait", "to", "12", {}, f"$.inputs.to: {NUMBER}: it has too few digits for the region US"),
    ("sendAndWait", "from", "Clinic", {}, "$.inputs.from: nobody can reply to an alphanumeric sender ID; give a phone"),
    (
        "sendAndWait",
        "messagingServiceSid",
        "SM" + "0" * 32,
        {},
        "$.inputs.messagingServiceSid: starts with SM, so it is",
    ),
    ("sendAndWait", "message", "x" * 1601, {}, "$.inputs.message: must have at most 1,600 characters, not 1,601"),
    (
        "sendAndWait",
        "mediaUrl",
        "map.png",
        {},
        "$.inputs.mediaUrl[0]: must be an absolute URL that starts with https://",
    ),
    ("sendAndWait", "contentSid", "HX" + "0" * 32, {}, "$.inputs: cannot have both message and contentSid"),
    ("sendAndWait", "contentVariables", {"1": "x"}, {}, "$.inputs.contentVariables: can only be used together with"),
    ("sendAndWait", "answerType", "maybe", {}, "$.inputs.answerType: must be anything, yesNo, number, date, choice or"),
    ("sendAndWait", "answerType", "choice", {}, "$.inputs: needs choices where answerType is choice"),
    ("sendAndWait", "answerType", "pattern", {}, "$.inputs: needs pattern where answerType is pattern"),
    ("sendAndWait", "choices", ["a", "b"], {}, "$.inputs: has choices, which are for the answerType choice only"),
    ("sendAndWait", "pattern", "a", {}, "$.inputs: has a pattern, which is for the answerType pattern only"),
    ("sendAndWait", "minimum", 1, {}, "$.inputs: has minimum or maximum, which are for the answerType number only"),
    ("sendAndWait", "noWords", ["nein"], {}, "$.inputs: has yesWords or noWords, which are for the answerType yesNo"),
    ("sendAndWait", "dateOrder", "DMY", {}, "$.inputs: has dateOrder, which is for the answerType date only"),
    ("sendAndWait", "retries", 0, {"retryMessage": "Well?"}, "$.inputs: has a retryMessage that is never sent, since"),
    (
        "sendAndWait",
        "choices",
        ["Confirm", "CANCEL"],
        {},
        "$.inputs.choices[1]: opts the person out when they reply it",
    ),
    ("sendAndWait", "choices", ["Confirm", "confirm!"], {}, "$.inputs.choices[0]: is the same answer as another"),
    ("sendAndWait", "yesWords", ["!"], {}, "$.inputs.yesWords[0]: must have a letter, a digit or an emoji"),
    ("sendAndWait", "choices", ["one"], {}, "$.inputs.choices: must have at least 2 items, not 1"),
    ("sendAndWait", "pattern", "(a+)+", {}, "$.inputs.pattern: must not repeat a group that has repetitions"),
    ("sendAndWait", "minimum", "low", {}, "$.inputs.minimum: must be a number, not text"),
    ("sendAndWait", "maximum", {"of": 1}, {}, "$.inputs.maximum: must be a number, not an object"),
    ("sendAndWait", "yesWords", [""], {}, "$.inputs.yesWords[0]: must not be empty"),
    ("sendAndWait", "noWords", "x" * 101, {}, "$.inputs.noWords[0]: must have at most 100 characters, not 101"),
    ("sendAndWait", "dateOrder", "YMD", {}, "$.inputs.dateOrder: must be DMY or MDY, not 'YMD'"),
    ("sendAndWait", "retries", 6, {}, "$.inputs.retries: must be at most 5, not 6"),
    (
        "sendAndWait",
        "retryMessage",
        "x" * 1601,
        {},
        "$.inputs.retryMessage: must have at most 1,600 characters, not 1,601",
    ),
    ("sendAndWait", "deadline", "soon", {}, "$.inputs.deadline: must be a number of seconds or a duration such as 90s"),
    ("sendAndWait", "ifBusy", "queue", {}, "$.inputs.ifBusy: must be wait or refuse, not 'queue'"),
    ("sendAndWait", "lateReplies", "drop", {}, "$.inputs.lateReplies: must be flow or keep, not 'drop'"),
    (
        "sendAndWait",
        "defaultRegion",
        "usa",
        {},
        "$.inputs.defaultRegion: must be a country code of two capital letters",
    ),
    ("getSMS", "sid", "", {}, "$.inputs.sid: is required"),
    ("getSMS", "sid", "PN" + "0" * 32, {}, "so it is a phone number SID; a message SID belongs here (SM or MM…)"),
    (
        "deleteMessage",
        "sid",
        "SM" + "0" * 31,
        {},
        "$.inputs.sid: must be a message SID: SM or MM and 32 hexadecimal digits, not 33 characters",
    ),
    ("redactMessage", "sid", None, {}, "$.inputs.sid: is required"),
    (
        "cancelMessage",
        "sid",
        "HX" + "0" * 32,
        {},
        "so it is a content template SID; a message SID belongs here (SM or MM…)",
    ),
    ("listMedia", "sid", "ME" + "0" * 32, {}, "so it is a media SID; a message SID belongs here (SM or MM…)"),
    ("downloadMedia", "messageSid", "ME" + "0" * 32, {}, "a media SID; a message SID belongs here (SM or MM…)"),
    ("downloadMedia", "mediaSid", "MM" + "0" * 32, {}, "a message SID; a media SID belongs here (ME…)"),
    ("downloadMedia", "mediaSid", None, {}, "$.inputs: needs a file; give media, or messageSid and mediaSid"),
    (
        "downloadMedia",
        "media",
        "https://a.example/x",
        {"messageSid": None, "mediaSid": None},
        "$.inputs.media: must be a file of a message",
    ),
    ("downloadMedia", "media", {"of": 1}, {}, "$.inputs: cannot have both media and messageSid or mediaSid"),
    ("downloadMedia", "maxBytes", 0, {}, "$.inputs.maxBytes: must be at least 1"),
    ("downloadMedia", "maxBytes", 1 << 30, {}, "$.inputs.maxBytes: must be at most 104857600"),
    ("downloadMedia", "maxBytes", "5 MB", {}, "$.inputs.maxBytes: must be a whole number, not text"),
    (
        "sendFeedback",
        "sid",
        7,
        {},
        "$.inputs.sid: must be a message SID: SM or MM and 32 hexadecimal digits, not 1 characters",
    ),
    ("sendFeedback", "outcome", "ok", {}, "$.inputs.outcome: must be confirmed or unconfirmed, not 'ok'"),
    ("explainDelivery", "sid", "PN" + "0" * 32, {}, "a message SID belongs here (SM or MM…)"),
    ("estimateMessage", "smartEncoded", "perhaps", {}, f"$.inputs.smartEncoded: {FLAG} text"),
    ("estimateMessage", "message", "", {}, "$.inputs.message: is required"),
    ("estimateMessage", "message", "x" * 1601, {}, "$.inputs.message: must have at most 1,600 characters, not 1,601"),
    ("listMessages", "to", "1", {}, f"$.inputs.to: {SENDER}"),
    ("listMessages", "from", ["x"], {}, "$.inputs.from: must be text, not a list"),
    ("listMessages", "dateSent", "31.01.2026", {}, "$.inputs.dateSent: must be a date such as 2026-01-31"),
    ("listMessages", "dateSentAfter", "yesterday", {}, "$.inputs.dateSentAfter: must be a date and time such as"),
    ("listMessages", "dateSentBefore", "2026-02-30", {}, "$.inputs.dateSentBefore: must be a date such as 2026-01-31"),
    ("listMessages", "limit", 0, {}, "$.inputs.limit: must be at least 1, not 0"),
    ("listMessages", "limit", "all", {}, "$.inputs.limit: must be a whole number, not text"),
    ("listMessages", "pageSize", 5000, {}, "$.inputs.pageSize: must be at most 1000, not 5000"),
    (
        "listMessages",
        "defaultRegion",
        "",
        {"defaultRegion": "Germany"},
        "$.inputs.defaultRegion: must be a country code",
    ),
    ("rawRequest", "url", None, {}, "$.inputs.url: is required"),
    ("rawRequest", "url", "https://evil.example/", {}, "$.inputs.url has another host than the connection's API"),
    ("rawRequest", "url", "/a b", {}, "$.inputs.url: must have no spaces, backslashes and control characters"),
    ("rawRequest", "method", "FETCH", {}, "$.inputs.method: must be GET, POST, PUT"),
    ("rawRequest", "data", "x", {"formData": {"a": "b"}}, "Cannot specify both Data and File/Form Data."),
    ("rawRequest", "formData", 7, {}, f"$.inputs.formData: {PAIRS}"),
    ("rawRequest", "formData", [{"name": "a"}], {}, "$.inputs.formData[0].key: is required"),
    (
        "rawRequest",
        "fileData",
        [{"key": "f", "value": {"data": 1}}],
        {},
        "$.inputs.fileData[0].value: must be text, bytes or a Buffer",
    ),
    ("rawRequest", "fileDataFileNames", 7, {}, f"$.inputs.fileDataFileNames: {PAIRS}"),
    ("rawRequest", "queryParams", 7, {}, f"$.inputs.queryParams: {PAIRS}"),
    ("rawRequest", "headers", {"Host": "evil.example"}, {}, "$.inputs.headers[0]: cannot set Host"),
    (
        "rawRequest",
        "responseType",
        "xml",
        {},
        "$.inputs.responseType: must be json, text, arraybuffer or document, not 'xml'",
    ),
    ("rawRequest", "timeout", "2s", {}, "$.inputs.timeout: must be a whole number, not text"),
    ("rawRequest", "retryDelayMS", -1, {}, "$.inputs.retryDelayMS: must be at least 0, not -1"),
    ("rawRequest", "retryAllErrors", "all", {}, f"$.inputs.retryAllErrors: {FLAG} text"),
    ("rawRequest", "maxRetries", 101, {}, "$.inputs.maxRetries: must be at most 100, not 101"),
    ("rawRequest", "useExponentialBackoff", 2, {}, f"$.inputs.useExponentialBackoff: {FLAG} a whole number"),
    *(
        (trigger, name, {"of": 1}, {}, f"$.inputs.{name}: must be")
        for trigger in ("inboundMessage", "statusCallback", "conversationEvent")
        for name in ("authToken", "secondaryAuthToken", "sharedKeys", "validateSignature")
    ),
    *(
        (trigger, "phoneNumber", "MyBrand", {}, "$.inputs.phoneNumber: must be a phone number of the account, such as")
        for trigger in ("webhook", "inboundMessage")
    ),
    *(
        (trigger, "messagingServiceSid", "PN" + "0" * 32, {}, "a messaging service SID belongs here (MG…)")
        for trigger in ("webhook", "inboundMessage", "statusCallback")
    ),
    *(
        (trigger, "replaceWebhook", "perhaps", {}, f"$.inputs.replaceWebhook: {FLAG} text")
        for trigger in ("webhook", "inboundMessage", "statusCallback")
    ),
    (
        "webhook",
        "sharedKeys",
        "secret",
        {},
        "$.inputs.sharedKeys: must have shared keys of the form id=secret, one per",
    ),
    (
        "inboundMessage",
        "replyMessage",
        "x" * 1601,
        {},
        "$.inputs.replyMessage: must have at most 1,600 characters, not 1,601",
    ),
    ("inboundMessage", "replyMediaUrl", "map.png", {}, "$.inputs.replyMediaUrl[0]: must be an absolute URL"),
    ("webhook", "validateSignature", "perhaps", {}, f"$.inputs.validateSignature: {FLAG} text"),
    ("webhook", "authToken", ["t"], {}, "$.inputs.authToken: must be text, not a list"),
    ("webhook", "secondaryAuthToken", {"of": 1}, {}, "$.inputs.secondaryAuthToken: must be text, not an object"),
    (
        "webhook",
        "twilioConnection",
        "x",
        {},
        '$.inputs.twilioConnection: must be a connection, {"key": …, "fields": {…}}, not text',
    ),
    ("selectMessage", "to", "1", {}, f"$.inputs.to: {SENDER}"),
    ("selectMessage", "from", [1], {}, "$.inputs.from: must be text, not a list"),
    *(
        (source, "search", "x" * 201, {}, "$.inputs.search: must have at most 200 characters, not 201")
        for source in (
            "selectMessage",
            "selectPhoneNumber",
            "selectMessagingService",
            "selectContentTemplate",
            "selectVerifyService",
        )
    ),
    *(
        (source, "limit", 1001, {}, "$.inputs.limit: must be at most 1000, not 1001")
        for source in (
            "selectMessage",
            "selectPhoneNumber",
            "selectMessagingService",
            "selectContentTemplate",
            "selectVerifyService",
        )
    ),
    ("pollChangesTrigger", "from", "1", {}, f"$.inputs.from: {SENDER}"),
    ("pollChangesTrigger", "to", {"of": 1}, {}, "$.inputs.to: must be text, not an object"),
    ("pollChangesTrigger", "showNewRecords", "perhaps", {}, f"$.inputs.showNewRecords: {FLAG} text"),
    ("pollChangesTrigger", "showUpdatedRecords", 2, {}, f"$.inputs.showUpdatedRecords: {FLAG} a whole number"),
    ("pollChangesTrigger", "lookBackMinutes", 0, {}, "$.inputs.lookBackMinutes: must be at least 1, not 0"),
    ("pollChangesTrigger", "limit", 10001, {}, "$.inputs.limit: must be at most 10000, not 10001"),
    ("waitForDelivery", "sid", "", {}, "$.inputs.sid: is required"),
    *(
        (action, "serviceSid", "MG" + "0" * 32, {}, "a Verify service SID belongs here (VA…)")
        for action in ("startVerification", "checkVerification")
    ),
    *(
        (action, "to", "call me", {}, f"$.inputs.to: {NUMBER}: it may have only digits")
        for action in ("startVerification", "checkVerification")
    ),
    *(
        (action, "defaultRegion", "usa", {}, "$.inputs.defaultRegion: must be a country code of two capital letters")
        for action in ("startVerification", "checkVerification", "lookupPhoneNumber")
    ),
    ("startVerification", "channel", "fax", {}, "$.inputs.channel: must be sms, call, whatsapp or email, not 'fax'"),
    ("startVerification", "locale", "German", {}, "$.inputs.locale: must be a language such as en, de or pt-BR"),
    ("startVerification", "customFriendlyName", "x" * 65, {}, "must have at most 64 characters, not 65"),
    ("startVerification", "templateSid", "HX" + "0" * 32, {}, "a Verify template SID belongs here (HJ…)"),
    ("startVerification", "templateCustomSubstitutions", "Ada", {}, "must be an object, not text"),
    ("startVerification", "sendDigits", "1-2", {}, "$.inputs.sendDigits: must have only digits, w, # and *"),
    ("startVerification", "rateLimits", ["a"], {}, "$.inputs.rateLimits: must be an object, not a list"),
    ("startVerification", "riskCheck", "off", {}, "$.inputs.riskCheck: must be enable or disable, not 'off'"),
    ("startVerification", "appHash", "short", {}, "$.inputs.appHash: must be the app's hash of 11 characters"),
    ("startVerification", "deviceIp", "1" * 46, {}, "$.inputs.deviceIp: must be an IP address"),
    ("checkVerification", "verificationSid", "VA" + "0" * 32, {}, "a verification SID belongs here (VE…)"),
    ("checkVerification", "code", "12", {}, "$.inputs.code: must be the code of 4 to 10 digits or letters"),
    ("lookupPhoneNumber", "phoneNumber", "nobody", {}, "$.inputs.phoneNumber: it may have only digits"),
    ("lookupPhoneNumber", "packages", ["carrier"], {}, "$.inputs.packages[0]: must be call_forwarding, caller_name"),
    ("lookupPhoneNumber", "identity", {"name": "Ada"}, {}, "$.inputs.identity.name: is not known"),
    ("lookupPhoneNumber", "lastVerifiedDate", "31.01.2026", {}, "must be a date such as 20260131"),
    ("lookupPhoneNumber", "verificationSid", "x", {}, "$.inputs.verificationSid: must be a verification SID"),
    ("waitForDelivery", "timeoutSeconds", "forever", {}, "$.inputs.timeoutSeconds: must be a whole number, not text"),
    ("waitForDelivery", "acceptSent", "perhaps", {}, f"$.inputs.acceptSent: {FLAG} text"),
]
CONNECTIONS: list[tuple[Any, str]] = [
    (None, "$.inputs.twilioConnection: is required: a connection of type apiKeySecret or basic"),
    ({"key": "apikey", "fields": {}}, "'apikey' is not a connection type here; did you mean 'apiKeySecret'?"),
    (
        create_connection("basic", {"username": "AC" + "0" * 32}),
        "$.inputs.twilioConnection.fields.password: is required",
    ),
    (
        create_connection("basic", {"username": "SK" + "0" * 32, "password": "x"}),
        "$.inputs.twilioConnection.fields.username: starts with SK, so it is an API Key SID; an Account SID belongs here",
    ),
    (
        create_connection("apiKeySecret", {"accountSid": "SK" + "0" * 32, "apiKey": "AC" + "0" * 32, "apiSecret": "x"}),
        "$.inputs.twilioConnection.fields.apiKey: starts with AC, so it is an Account SID; an API Key SID belongs here (SK…)",
    ),
    (
        create_connection("basic", {"username": "AC" + "0" * 32, "password": "x", "region": "Ireland!"}),
        "$.inputs.twilioConnection.fields.region: must be a Twilio region: us1, ie1, au1",
    ),
    (
        create_connection("basic", {"username": "AC" + "0" * 32, "password": "x", "baseUrl": "http://proxy.example"}),
        "$.inputs.twilioConnection.fields.baseUrl: must start with https://",
    ),
    (
        create_connection("basic", {"user": "AC" + "0" * 32, "password": "x"}),
        "$.inputs.twilioConnection.fields.user: is not known; did you mean 'username'?",
    ),
]


async def refusal(operation: str, inputs: dict[str, Any]) -> str:
    def unreachable(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be sent")

    async with Host.discover(transport=httpx.MockTransport(unreachable)) as host:
        if operation in host.components["twilio"].triggers:
            invocation = host.invoke_trigger("twilio", operation, {}, inputs)
        elif operation.startswith("select"):
            invocation = host.invoke_data_source("twilio", operation, inputs)
        else:
            invocation = host.invoke_action("twilio", operation, inputs)
        with pytest.raises(IntegrationError) as caught:
            await invocation
    return str(caught.value)


@pytest.mark.parametrize(("operation", "name", "value", "others", "said"), TABLE)
async def test_what_is_wrong_is_named_with_what_is_allowed(
    operation: str, name: str, value: Any, others: dict[str, Any], said: str
) -> None:
    name_of_connection = "connection" if operation in ("pollChangesTrigger", "selectMessage") else "twilioConnection"
    connection = {} if operation == "estimateMessage" else {name_of_connection: emulator_connection()}
    given = {**connection, **GOOD[operation], name: value, **others}
    assert said in await refusal(operation, given)


@pytest.mark.parametrize(("connection", "said"), CONNECTIONS)
async def test_a_connection_that_cannot_work_is_named_field_by_field(connection: Any, said: str) -> None:
    assert said in await refusal("listMessages", {"twilioConnection": connection})


def test_the_table_has_every_input_of_every_operation() -> None:
    component = load_component(manifest_file())
    tried = {(operation, name) for operation, name, *_ in TABLE}
    operations = {**component.actions, **component.triggers, **component.data_sources}
    missing = [
        (operation.key, name)
        for operation in operations.values()
        for name in operation.inputs["properties"]
        if name not in ("connection", "twilioConnection") and (operation.key, name) not in tried
    ]
    assert missing == []
