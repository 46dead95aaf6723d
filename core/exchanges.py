"""The exchanges' names as the vendor lists them, for when there is no key to ask with. Pure."""

OFF_EXCHANGE_ID = 4
"""FINRA's, which every trade off exchange is reported to."""

_BUNDLED_2026_11 = {
    1: "NYSE American",
    2: "Nasdaq Texas",
    3: "NYSE National",
    4: "FINRA Alternative Display Facility",
    5: "Unlisted Trading Privileges",
    6: "International Securities Exchange - Stocks",
    7: "Cboe EDGA",
    8: "Cboe EDGX",
    9: "NYSE Texas",
    10: "New York Stock Exchange",
    11: "NYSE Arca",
    12: "Nasdaq",
    13: "Consolidated Tape Association",
    14: "Long-Term Stock Exchange",
    15: "IEX",
    16: "Cboe Stock Exchange",
    17: "Nasdaq PHLX",
    18: "Cboe BYX",
    19: "Cboe BZX",
    20: "MIAX Pearl",
    21: "MEMX",
    22: "24X National Exchange",
    23: "Texas Stock Exchange",
    62: "OTC Equity Security",
    # Listed among the exchanges; in trades they are values of trf_id, and the exchange is 4.
    201: "FINRA NYSE TRF",
    202: "FINRA Nasdaq TRF Carteret",
    203: "FINRA Nasdaq TRF Chicago",
}


def bundled_exchanges() -> dict[int, str]:
    """Names by id, as published in November 2026."""
    return dict(_BUNDLED_2026_11)
