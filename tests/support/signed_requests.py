"""What Twilio may sign, for property tests: parameters, and URLs that a server may see differently."""

from __future__ import annotations

import string
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st

Pairs = list[tuple[str, str]]


class MultiDict(dict[str, str]):
    """Repeated parameters as the SDK reads them from a web framework."""

    def __init__(self, pairs: Pairs) -> None:
        super().__init__(pairs)
        self.pairs = pairs

    def getall(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]


# No apostrophe, where the SDK is wrong, and none of the characters that would end the part of the URL they stand in.
_segment = st.text(string.ascii_letters + string.digits + "-._~!$&()*+,=:@%é 日", max_size=12)
_query_text = st.text(string.ascii_letters + string.digits + "-._~!$()*+,:@/?%;[]|{}é 日", max_size=12)
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_host = st.from_regex(r"[a-z][a-z0-9-]{0,10}(\.[a-z]{2,6}){1,2}", fullmatch=True)
_scheme = st.sampled_from(["http", "https"])
_port = st.one_of(st.none(), st.sampled_from([80, 443, 8080]), st.integers(1, 65535))
_path = st.lists(_segment, max_size=4).map(lambda parts: "".join(f"/{part}" for part in parts))
_query = st.lists(st.tuples(_query_text, _query_text), min_size=1, max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
pairs_of_parameters = st.lists(
    st.tuples(st.one_of(st.sampled_from(["Body", "From", "a"]), any_text), any_text), max_size=6
)


def _url(scheme: str, host: str, port: int | None, path: str, query: str | None) -> str:
    return f"{scheme}://{host}{'' if port is None else f':{port}'}{path}{'' if query is None else f'?{query}'}"


@st.composite
def signed_and_seen(draw: st.DrawFn) -> tuple[str, str]:
    """A URL that is signed and one that a server sees: mostly the same, often with another port, sometimes unlike."""
    scheme, host, port, path = draw(_scheme), draw(_host), draw(_port), draw(_path)
    query = draw(st.one_of(st.none(), _query))
    seen = _url(scheme, host, port, path, query)
    signed = draw(
        st.sampled_from(
            [
                seen,
                _url(scheme, host, None, path, query),
                _url(scheme, host, 443 if scheme == "https" else 80, path, query),
                _url(scheme, host, 8080, path, query),
                _url("http", host, port, path, query),
                _url(scheme, host, port, f"{path}/", query),
                quote(seen, safe=":/?&="),
                quote_plus(seen, safe=":/?&="),
            ]
        )
    )
    return signed, seen
