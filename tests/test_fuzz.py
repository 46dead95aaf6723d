"""The ways in, with whatever hypothesis makes up: bytes, and what looks like the real thing."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import KEYS, TARGETS, trades_file

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)
_LIKELY = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8)
    ),
    max_leaves=30,
)
_CELLS = st.sampled_from(
    ["A", "BRK.B", "", "1", "-1", "1e9", "nan", "inf", "0", "1790863200000000000", '"', '"a,b"',
     "é", "10.25", "99999999999999999999", "12,37", "20261001", " "]
) | st.text(max_size=6)  # fmt: skip


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _lines(separator: str) -> st.SearchStrategy[bytes]:
    row = st.lists(_CELLS, min_size=1, max_size=14).map(separator.join)
    return st.lists(row, max_size=12).map("\n".join).map(_encoded)


def _as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


_FIT = {
    "vendor_json": _LIKELY.map(_as_json),
    "interaction": _LIKELY.map(_as_json),
    "day_file": _lines(","),
    "trades_file": _lines(","),
    "finra": _lines("|"),
    "signature": st.tuples(
        st.sampled_from([b"", b"1790863200", b"soon"]),
        st.sampled_from([b"", b"v0=00", b"text/plain; charset=no-such"]),
        st.sampled_from([b"ssl_check=1&", b"payload=", b"command=", b'{"type":"ssl_check=1","a":'])
        | st.binary(max_size=20),
        st.sampled_from([b"[" * 20_000, b"a&" * 400, b"%5B" * 5_000, b"{}"])
        | _LIKELY.map(_as_json),
    ).map(lambda made: b"\n".join((*made[:2], made[2] + made[3]))),
    "slack_text": st.text(max_size=200).map(_encoded),
    "a_setting": st.tuples(st.integers(0, 255), st.text(max_size=60)).map(
        lambda made: bytes([made[0]]) + _encoded(made[1])
    ),
}


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=30)
@given(data=st.data())
def test_whatever_comes_in_is_read_or_refused(name: str, data: st.DataObject) -> None:
    kinds = [st.binary(max_size=300), _JSON.map(_as_json), _FIT.get(name, st.binary())]
    TARGETS[name](data.draw(st.one_of(*kinds)))


def test_a_bomb_is_refused_before_it_fills_the_memory() -> None:
    trades_file(gzip.compress(b"\0" * 50_000_000, 9))
