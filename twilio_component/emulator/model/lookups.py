"""What Lookup tells of phone numbers: their form from the numbering plans, and whatever a test has said about them."""

from __future__ import annotations

from typing import Any

# What a package has where a test has said nothing. None of it is true of anybody.
_NETWORK = {"carrier_name": "Emulated Wireless", "mobile_country_code": "310", "mobile_network_code": "000"}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "caller_name": {"caller_name": None, "caller_type": None, "error_code": None},
    "sim_swap": {
        "last_sim_swap": {"last_sim_swap_date": None, "swapped_period": "PT24H", "swapped_in_period": False},
        **_NETWORK,
        "error_code": None,
    },
    "call_forwarding": {"call_forwarding_enabled": False, **_NETWORK, "error_code": None},
    "line_type_intelligence": {"type": "mobile", **_NETWORK, "error_code": None},
    "line_status": {"status": "active", "error_code": None},
    "identity_match": {"summary_score": 100, "error_code": None, "error_message": None},
    "reassigned_number": {"last_verified_date": None, "is_number_reassigned": "no", "error_code": None},
    "sms_pumping_risk": {"carrier_risk_category": "low", "number_blocked": False, "sms_pumping_risk_score": 0},
    "phone_number_quality_score": {"quality_score": None, "error_code": None},
    "pre_fill": {"error_code": None},
}
PACKAGES = ("validation", *_DEFAULTS)


class Lookups:
    """The facts about phone numbers, by number and package (see `PACKAGES`)."""

    def __init__(self) -> None:
        self._facts: dict[str, dict[str, dict[str, Any]]] = {}

    def add_facts(self, number: str, **packages: dict[str, Any]) -> None:
        """Say what Lookup tells of ``number`` (E.164): ``line_type_intelligence={"type": "landline"}``.

        The keys that a package is not given have their defaults. Raises ValueError for a package that does not exist.
        """
        unknown = packages.keys() - _DEFAULTS.keys()
        if unknown:
            raise ValueError(f"Lookup has no {', '.join(sorted(unknown))}; it has {', '.join(_DEFAULTS)}")
        facts = self._facts.setdefault(number, {})
        for package, given in packages.items():
            facts[package] = {**facts.get(package, {}), **given}

    def line_type(self, number: str) -> str | None:
        """Return the line type that a test has given to a number; None where it has given none."""
        given = self._facts.get(number, {}).get("line_type_intelligence", {}).get("type")
        return None if given is None else str(given)

    def clear(self) -> None:
        """Forget every fact."""
        self._facts.clear()

    def as_json(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return every fact, by number and package."""
        return {number: {name: dict(told) for name, told in facts.items()} for number, facts in self._facts.items()}

    def look_up(self, text: str, region: str, packages: set[str]) -> dict[str, Any]:
        """Return the PhoneNumber resource, without its URL; packages that were not asked for are null.

        Raises ValueError for a region that does not exist.
        """
        from twilio_component.emulator.model.numbering_plan import describe_number, is_region  # loads the plans

        if not is_region(region):
            raise ValueError(f"there is no region {region!r}")
        form = describe_number(text, region)
        found = {name: self._package(name, form["phone_number"]) for name in packages & _DEFAULTS.keys()}
        return {**form, **dict.fromkeys(_DEFAULTS), **found}

    def _package(self, name: str, e164: str) -> dict[str, Any]:
        from twilio_component.emulator.model.numbering_plan import line_type_of

        default = _DEFAULTS[name]
        if name == "line_type_intelligence":
            default = default | {"type": line_type_of(e164)}
        return {**default, **self._facts.get(e164, {}).get(name, {})}
