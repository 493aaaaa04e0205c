"""Writes twilio_component/flows/number_zones.txt: the time zones that the first digits of phone numbers tell.

The facts are libphonenumber's. Take them from a release of its Python port in an environment of its own, since that
port and `phonenumberslite`, which this project depends on, own the same files:

    python -m venv /tmp/zones && /tmp/zones/bin/pip install phonenumbers
    /tmp/zones/bin/python tools/number_zones.py > twilio_component/flows/number_zones.txt

`make conformance` holds the table, and how it is read, against that release.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, takewhile

HEADER = """\
# The time zones that the first digits of phone numbers tell, country code included. Facts of libphonenumber, which its
# authors license under Apache-2.0 (see NOTICE). tools/number_zones.py wrote this file and says how; do not edit it.
# release: phonenumbers {release}
# sha256 of the lines below: {digest}
"""


def table(zones_by_prefix: Mapping[str, tuple[str, ...]]) -> str:
    """A line for each group of zones with its prefixes, the short ones first.

    A prefix that tells what a shorter one tells is left out. One that is as long as the one before it is written
    without the digits with which both begin: ``1201 2 14`` are 1201, 1202 and 1214.
    """
    prefixes_by_zones: dict[tuple[str, ...], list[str]] = {}
    for prefix, zones in sorted(zones_by_prefix.items()):
        shorter = (prefix[:length] for length in range(len(prefix) - 1, 0, -1))
        if next((zones_by_prefix[one] for one in shorter if one in zones_by_prefix), None) != zones:
            prefixes_by_zones.setdefault(zones, []).append(prefix)
    return "".join(
        f"{','.join(zones)}: {' '.join(_abbreviated(sorted(prefixes, key=lambda one: (len(one), one))))}\n"
        for zones, prefixes in sorted(prefixes_by_zones.items())
    )


def _abbreviated(prefixes: Sequence[str]) -> Iterator[str]:
    for before, prefix in pairwise(["", *prefixes]):
        shared = takewhile(lambda pair: pair[0] == pair[1], zip(before, prefix, strict=False))
        yield prefix[len(list(shared)) :] if len(before) == len(prefix) else prefix


def main() -> None:
    """Print the table of the installed release."""
    import phonenumbers
    from phonenumbers.tzdata import TIMEZONE_DATA

    lines = table(TIMEZONE_DATA)
    digest = hashlib.sha256(lines.encode()).hexdigest()
    sys.stdout.write(HEADER.format(release=phonenumbers.__version__, digest=digest) + lines)


if __name__ == "__main__":
    main()
