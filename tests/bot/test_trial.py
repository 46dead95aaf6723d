"""What /preview can be asked for, and each way to be wrong about it."""

from dataclasses import replace

import pytest

from bot.settings import load
from bot.trial import Standard, present, typed
from core.anomaly import Rule
from core.errors import CommandError, ConfigError

NOW = Standard(Rule(), 10)


def test_settings_come_in_any_order_and_alone() -> None:
    both, tried = typed(["floor:$5,000,000", "MIN=4.5"], NOW)
    assert both == Standard(replace(Rule(), min_z=4.5, min_adv_usd=5e6), 10)
    assert typed(["min:4.5", "floor:5M"], NOW)[0] == both
    assert [t.line for t in tried] == ["ALERT_FLOOR_USD=5000000", "ALERT_MIN_Z=4.5"]
    assert [(t.now, t.then) for t in tried] == [("$1,000,000", "$5,000,000"), ("4", "4.5")]
    rest, _ = typed(["price:0.5", "top:20"], NOW)
    assert rest == Standard(replace(Rule(), min_close_usd=0.5), 20)


def test_nothing_typed_is_what_is_set() -> None:
    assert typed([], NOW) == (NOW, [])
    assert typed(["min:4"], NOW)[0] == NOW
    assert dict(present(NOW)).keys() == {"min 4", "floor $1,000,000", "price $1.00", "top 10"}


def test_values_that_differ_are_never_in_the_same_words() -> None:
    _, (near,) = typed(["price:1.001"], NOW)
    _, (same,) = typed(["price:1"], NOW)
    assert (near.now, near.then) == ("1.0", "1.001")
    assert (same.now, same.then) == ("$1.00", "$1.00")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("min:abc", "min:abc should be a number from 2.5 to 12, such as min:4.5"),
        ("min:2.4", "min:2.4 should be a number from 2.5 to 12"),
        ("min:13", "min:13 should be a number from 2.5 to 12"),
        ("min:-4", "min:-4 should be a number"),
        ("min:4,5", "min:4,5 should be a number"),
        ("min:", "min: needs its value right behind the colon, such as min:4.5"),
        ("floor:rich", "floor:rich should be dollars a day from 10k to 10B, such as floor:5M"),
        ("floor:1", "floor:1 should be dollars a day"),
        ("price:free", "price:free should be dollars from 0.01 to 1000, such as price:5"),
        ("top:2.5", "top:2.5 should be a whole number from 1 to 50, such as top:20"),
        ("top:0", "top:0 should be a whole number"),
        ("mim:5", "'mim:5' is no setting that can be tried; did you mean min:?"),
        ("4.5", "'4.5' is no setting that can be tried; there are min:, floor:, price: and top:"),
        ("min", "'min' is no setting that can be tried; there are"),
        ("min:5 min:6", "min: is there twice; name it once."),
    ],
)
def test_each_way_to_be_wrong_has_its_own_sentence(text: str, sentence: str) -> None:
    with pytest.raises(CommandError) as error:
        typed(text.split(), NOW)
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize("word", ["min:2.5", "min:12", "floor:10k", "floor:10B", "price:0.01",
                                  "price:1000", "top:1", "top:50"])  # fmt: skip
def test_whatever_can_be_tried_can_be_set(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other, (tried,) = typed([word], NOW)
    name, _, value = tried.line.partition("=")
    monkeypatch.setenv(name, value)
    settings = load()
    assert Standard(settings.rule, settings.alert_top) == other


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALERT_MIN_Z", "2.4"), ("ALERT_MIN_Z", "12.1"), ("ALERT_MIN_Z", "nan"),
     ("ALERT_MIN_Z", "high"), ("ALERT_FLOOR_USD", "9999"), ("ALERT_FLOOR_USD", "much"),
     ("ALERT_MIN_PRICE_USD", "0")],
)  # fmt: skip
def test_what_cannot_be_tried_cannot_be_set(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}='{value}': should be "):
        load()


def test_the_defaults_are_the_rule() -> None:
    assert load().rule == Rule()
