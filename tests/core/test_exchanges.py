"""The bundled names of the exchanges."""

from core.exchanges import OFF_EXCHANGE_ID, bundled_exchanges


def test_every_exchange_of_2026_has_a_name() -> None:
    names = bundled_exchanges()
    assert set(names) == {*range(1, 24), 62, 201, 202, 203}
    assert all(name == name.strip() and name for name in names.values())
    assert len(set(names.values())) == len(names)
    assert (names[10], names[12], names[15]) == ("New York Stock Exchange", "Nasdaq", "IEX")


def test_off_exchange_trades_are_reported_to_finra() -> None:
    assert "FINRA" in bundled_exchanges()[OFF_EXCHANGE_ID]


def test_who_changes_the_table_changes_a_copy() -> None:
    bundled_exchanges().clear()
    assert bundled_exchanges()
