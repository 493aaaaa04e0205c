"""The accounts that may use the emulator: accounts, their sub-accounts, test credentials and API keys.

Until an account is declared every well-formed SID with any secret is a live account, which comes into being when it
is first used. The first declaration makes authentication strict: from then on only declared accounts exist.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twilio_component.emulator.errors import ApiError
from twilio_component.emulator.model import addresses
from twilio_component.emulator.model.message_log import MessageListener, MessageLog
from twilio_component.emulator.model.opt_outs import OptOuts
from twilio_component.emulator.model.sids import is_sid, new_sid
from twilio_component.twilio.signatures.verification import SIGNATURE_HEADER, sign, sign_with_shared_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twilio_component.emulator.clock import Clock
    from twilio_component.emulator.model.content_template import ContentTemplate
    from twilio_component.emulator.model.messaging_service import MessagingService
    from twilio_component.emulator.model.phone_number import PhoneNumber
    from twilio_component.emulator.model.verify_service import VerifyService

# The account that numbers and inbound messages belong to where no other is known.
DEFAULT_ACCOUNT_SID = "AC" + "0" * 31 + "1"
# What signs the webhooks of an account that nobody declared and whose Auth Token was never presented.
DEFAULT_AUTH_TOKEN = "emulated-auth-token"  # noqa: S105 - documented, and worth nothing

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Twilio API"'}


@dataclass(eq=False)
class Account:
    """An account. ``test`` marks test credentials; ``owner_sid`` is the parent of a sub-account, else the account."""

    sid: str
    auth_token: str = field(repr=False)
    created: float
    friendly_name: str
    owner_sid: str
    # The id and the secret of the shared key that signs its webhooks, instead of the Auth Token.
    shared_key: tuple[str, str] | None = field(default=None, repr=False)
    test: bool = False
    status: str = "active"
    updated: float = 0.0
    api_keys: dict[str, str] = field(default_factory=dict, repr=False)
    messages: MessageLog = field(default_factory=MessageLog)
    numbers: dict[str, PhoneNumber] = field(default_factory=dict)
    services: dict[str, MessagingService] = field(default_factory=dict)
    templates: dict[str, ContentTemplate] = field(default_factory=dict)
    opt_outs: OptOuts = field(default_factory=OptOuts)
    verify_services: dict[str, VerifyService] = field(default_factory=dict)
    # The messages, calls and mails of verifications, which are not among the account's messages.
    code_messages: MessageLog = field(default_factory=MessageLog)

    def sign_with_shared_key(self, secret: str | None = None, *, key_id: str | None = None) -> tuple[str, str]:
        """Sign its webhooks with a webhook shared key from now on; the key's id and secret, new ones if not given."""
        self.shared_key = (key_id or f"webhooks_sharedkey_{uuid.uuid4().hex[:26]}", secret or uuid.uuid4().hex)
        return self.shared_key

    def sign_with_auth_token(self) -> None:
        """Sign its webhooks with the Auth Token again."""
        self.shared_key = None

    def signature_headers(self, url: str, form: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return the headers that prove to the application that a webhook comes from Twilio."""
        if self.shared_key is not None:
            return sign_with_shared_key(*self.shared_key, url, form)
        return {SIGNATURE_HEADER: sign(self.auth_token, url, form)}

    def number_of(self, number: str) -> PhoneNumber | None:
        """Return the number of this account that is written ``number``."""
        return next((one for one in self.numbers.values() if one.number == number), None)

    def service_of(self, sender: str) -> MessagingService | None:
        """Return the messaging service that has the number or the channel address ``sender`` among its senders."""
        number = self.number_of(addresses.strip_channel(sender))
        for service in self.services.values():
            if sender in service.channel_senders or (number is not None and number.sid in service.pool):
                return service
        return None


class Accounts:
    """Every account of one emulator. ``listeners`` follow the messages of all of them."""

    def __init__(self, clock: Clock, listeners: Iterable[MessageListener] = ()) -> None:
        self._clock = clock
        self._listeners = listeners
        self._known: dict[str, Account] = {}
        self._last_used_with_key: dict[str, str] = {}
        # Whether only declared accounts exist.
        self.strict = False

    def __iter__(self) -> Iterator[Account]:
        return iter(list(self._known.values()))

    def declare(
        self,
        sid: str | None = None,
        auth_token: str = DEFAULT_AUTH_TOKEN,
        *,
        api_keys: dict[str, str] | None = None,
        test: bool = False,
        parent: Account | None = None,
        friendly_name: str = "Emulated account",
    ) -> Account:
        """Let an account exist, and from now on only declared ones; one that exists gets other credentials.

        ``api_keys`` maps API key SIDs to their secrets; ``test=True`` makes ``sid`` and ``auth_token`` test
        credentials; ``parent`` makes this a sub-account, whose parent's credentials work for it too.
        """
        sid = sid or new_sid("AC")
        if not is_sid(sid, "AC"):
            raise ValueError(f"an Account SID is AC and 32 hexadecimal digits, not {sid!r}")
        for key in api_keys or {}:
            if not is_sid(key, "SK"):
                raise ValueError(f"an API key SID is SK and 32 hexadecimal digits, not {key!r}")
        account = self._known.get(sid) or self._create(sid, auth_token, friendly_name, parent)
        account.auth_token, account.test = auth_token, test
        account.api_keys = dict(api_keys or {})
        self.strict = True
        return account

    def create_sub_account(self, parent: Account, friendly_name: str) -> Account:
        """Return a new sub-account with an Auth Token of its own, as the API creates it."""
        return self._create(new_sid("AC"), uuid.uuid4().hex, friendly_name, parent)

    def restore(self, *, sid: str, **attributes: Any) -> Account:
        """Return the account ``sid`` with ``attributes`` that it had before, as a state file has them."""
        account = self._create(sid, attributes["auth_token"], attributes["friendly_name"], None)
        for name, value in attributes.items():
            setattr(account, name, value)
        return account

    def clear(self) -> None:
        """Forget every account, and that any was declared."""
        self._known.clear()
        self._last_used_with_key.clear()
        self.strict = False

    def owner_of_number(self, number: str) -> Account | None:
        """Return the account that a number belongs to."""
        return next((one for one in self._known.values() if one.number_of(number)), None)

    def default_account(self) -> Account:
        """Return the only account, or a default one where there is none; ValueError where there are several."""
        known = [one for one in self if not one.test]
        if len(known) > 1:
            raise ValueError(f"say which account: there are {', '.join(one.sid for one in known)}")
        return known[0] if known else self._create(DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN, "Emulated account", None)

    def get(self, sid: str) -> Account:
        """Return the account ``sid``, and create it unless authentication is strict. KeyError where it is missing."""
        if sid not in self._known and not self.strict and is_sid(sid, "AC"):
            self._create(sid, DEFAULT_AUTH_TOKEN, "Emulated account", None)
        return self._known[sid]

    def authenticate(self, authorization: str | None, path_sid: str | None) -> Account:
        """Return the account that a request acts on: the one in its path, or else the one its credentials belong to.

        Raises `ApiError` 20003 for credentials that are missing, wrong, or of an unrelated account.
        """
        user, secret = _basic_credentials(authorization)
        account = (
            self._verify_credentials(user, secret, path_sid)
            if self.strict
            else self._accept_credentials(user, secret, path_sid)
        )
        if account is None:
            raise ApiError(20003, headers=_CHALLENGE)
        if account.status != "active":
            raise ApiError(20005, sid=account.sid)
        return account

    def _create(self, sid: str, auth_token: str, friendly_name: str, parent: Account | None) -> Account:
        now = self._clock.now()
        owner_sid = parent.sid if parent else sid
        account = Account(sid, auth_token, now, friendly_name, owner_sid, updated=now)
        account.messages, account.code_messages = MessageLog(self._listeners), MessageLog(self._listeners)
        self._known[sid] = account
        return self._known[sid]

    def _verify_credentials(self, user: str, secret: str, path_sid: str | None) -> Account | None:
        """Strict: the secret is compared, and the account in the path is the user's own or a child of it."""
        own = self._owner_of(user, secret)
        if own is None or path_sid in (None, own.sid):
            return own
        asked = self._known.get(path_sid or "")
        return asked if asked is not None and asked.owner_sid == own.sid else None

    def _owner_of(self, user: str, secret: str) -> Account | None:
        for account in self._known.values():
            expected = account.auth_token if user == account.sid else account.api_keys.get(user)
            if expected is not None and hmac.compare_digest(expected.encode(), secret.encode()):
                return account
        return None

    def _accept_credentials(self, user: str, secret: str, path_sid: str | None) -> Account | None:
        """Lenient: well-formed is enough. An Auth Token that is presented becomes the account's own."""
        if not is_sid(user, "AC", "SK") or not is_sid(path_sid or user, "AC", "SK"):
            return None
        if path_sid is not None and not is_sid(path_sid, "AC"):
            return None
        if user.startswith("AC"):
            own = self.get(user)
            own.auth_token = secret
            return self.get(path_sid or user)
        sid = path_sid or self._last_used_with_key.get(user, "AC" + user[2:])
        self._last_used_with_key[user] = sid
        return self.get(sid)


def _basic_credentials(authorization: str | None) -> tuple[str, str]:
    scheme, _, encoded = (authorization or "").partition(" ")
    try:
        user, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user = colon = secret = ""
    if scheme.lower() != "basic" or not colon or not secret:
        raise ApiError(20003, headers=_CHALLENGE)
    return user, secret
