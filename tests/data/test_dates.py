import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.dates import Date, are_times, first_of, parse_time, read_times
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.schema import Schema
from chainrule.data.table import Table
from chainrule.errors import ChainruleError

moments = st.datetimes(min_value=dt.datetime(1000, 1, 1))
EPOCH = dt.datetime(1970, 1, 1)


def days(moment: dt.datetime) -> float:
    return (moment - EPOCH) / dt.timedelta(days=1)


def refusal(action, *arguments, **options) -> str:
    with pytest.raises(ChainruleError) as caught:
        action(*arguments, **options)
    return str(caught.value)


def table(*cells, **columns) -> Table:
    return Table({"when": list(cells), "y": [n + 0.5 for n in range(len(cells))], **columns}, "log")


@given(
    moments,
    st.sampled_from(
        [
            "%Y-%m-%dT%H:%M:%S.%f",
            "%Y/%m/%d %H:%M:%S",
            "%d.%m.%Y %H:%M:%S",
            "%a, %d %b %Y %H:%M:%S GMT",
            "%B %d, %Y %I:%M:%S %p",
            "%d-%b-%Y %H:%M:%S",
        ]
    ),
)
def test_every_common_form_is_read(moment, form):
    expected = moment if "%f" in form else moment.replace(microsecond=0)
    utc, wall = parse_time(moment.strftime(form).replace(str(moment.year), f"{moment.year:04}", 1))
    assert utc == wall == pytest.approx(days(expected), abs=1e-9, rel=0)


@given(st.text(max_size=20) | st.text("0123456789-/.: TZ+,aApPmM", max_size=24))
def test_any_text_is_a_time_or_none(text):
    for order in ("year", "day", "month"):
        assert all(map(math.isfinite, parse_time(text, order) or ()))
    assert first_of([text]) in ("year", "day", "month", None)


@given(moments, st.sampled_from(["day", "month"]))
def test_numbers_are_read_in_their_order(moment, order):
    form = "%d/%m/%Y" if order == "day" else "%m/%d/%Y"
    assert parse_time(moment.strftime(form), order) == (math.floor(days(moment)),) * 2


@given(moments, st.integers(-14 * 60, 14 * 60))
def test_zones_move_the_moment_but_not_the_clock(moment, minutes):
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    aware = moment.replace(tzinfo=zone)
    for text in (aware.isoformat(), aware.strftime("%d %b %Y %H:%M:%S%z"), aware.strftime("%Y/%m/%d %H:%M:%S.%f%z")):
        utc, wall = parse_time(text)
        assert wall == pytest.approx(days(moment), abs=1e-4, rel=0)
        assert wall - utc == pytest.approx(minutes / 1440, abs=1e-9, rel=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2020",
        "2020-02-30",
        "2020-13-01",
        "30 Feb 2020",
        "Mayday 2020",
        "1/2/2020",
        "2009/10",
        "1.2.10",
        "18991231",
        "20200230",
        "123456789",
        "25:00",
        "13:30 PM",
        "0:30 am",
        "2020-01-02-03",
        "12:5",
        "192.168.1.10",
        "+49 30 1234",
        "2020-01-01 and later",
        "2020-01-01 10:00 +99:00",
        "1/2/2020 10:00+0260",
        "0000-01-01",
    ],
)
def test_other_texts_are_no_times(text):
    assert parse_time(text) is None


def test_more_forms():
    assert parse_time("2020-03") == parse_time("March 2020") == parse_time("1 Mar 2020")
    assert parse_time("12/31/99", "month") == parse_time("1999-12-31")
    assert parse_time("31/12/68", "day") == parse_time("2068-12-31")
    assert parse_time("20141013T103000") == parse_time("2014-10-13 10:30")
    assert parse_time("01.02.20 10:30") == parse_time("2020-02-01 10:30")
    assert parse_time("12:30 am") == (1 / 48, 1 / 48)
    assert parse_time(" 2020-01-01 3:30 PM ") == parse_time("2020-01-01T15:30")


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["2020-01-01", "x"], "year"),
        (["1.2.2020"], "year"),
        (["1/2/2020", "13/2/2020"], "day"),
        (["1-2-2020", "2-13-2020"], "month"),
        (["1/2/2020", "2/2/2020"], None),
    ],
)
def test_the_order_is_that_of_the_whole_column(texts, order):
    assert first_of(texts) == order


def test_the_features():
    cells = ["2023-01-01 00:00", "2023-07-02 12:00", "2024-01-01 18:00"]
    column = Date.of("when", read_times(np.array(cells, dtype=object), "year"))
    assert column.cycles == ("month", "day of week", "hour")
    x = column.encode(read_times(np.array(cells, dtype=object), "year"))
    assert (x.dtype, x.shape) == (np.float32, (3, *column.shape))
    elapsed = np.array([0, 182.5, 365.75])
    np.testing.assert_allclose(x[:, 0], (elapsed - elapsed.mean()) / elapsed.std(), rtol=1e-6)
    np.testing.assert_allclose(x[:, 1], [-(0.5**0.5), -(0.5**0.5), 2**0.5], rtol=1e-6)
    turn = 2 * np.pi * np.array([0, (6 + 1 / 31) / 12, 0])
    np.testing.assert_allclose(x[:, 2:4], np.stack([np.sin(turn), np.cos(turn)], axis=1), atol=1e-6)
    np.testing.assert_array_equal(x[:, 4:11], np.eye(7)[[6, 6, 0]])  # two Sundays, a Monday
    np.testing.assert_allclose(x[:, 11:], [[0, 1], [0, -1], [-1, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("cells", "cycles"),
    [
        (["2020-01-01", "2020-02-05"], ("month",)),  # two Wednesdays
        (["2020-01-01", "2021-01-01"], ("day of week",)),
        (["2020-01-01 10:00", "2020-01-01 11:00"], ("hour",)),
        (["10:00", "11:00"], ("hour",)),
        (["2020-01-01", "2020-01-01"], ()),
    ],
)
def test_only_what_varies_is_an_input(cells, cycles):
    [column] = Preprocessor.fit(table(*cells)).columns
    assert column.cycles == cycles
    assert len(column.mean) == 1 + (cells[0][:4] != cells[1][:4] and ":" not in cells[0])


def test_a_column_of_dates_goes_beside_others_and_travels():
    data = table("5/1/2020", "25/1/2020", "6/2/2021", city=["Rome", "Oslo", "Rome"])
    preprocessor = Preprocessor.fit(data, target="y")
    assert (preprocessor.schema.dates, preprocessor.schema.day_first, preprocessor.schema.text) == (
        ("when",),
        ("when",),
        ("city",),
    )
    assert preprocessor.input_shape == (2 + 2 + 7 + 2,)
    again = Preprocessor.from_json(preprocessor.to_json())
    assert again == preprocessor
    # a second table is read as the first was, whatever its own cells would say
    new = {"when": ["3/4/2020"], "city": ["Oslo"]}
    np.testing.assert_array_equal(again.inputs(new), preprocessor.inputs({"when": ["2020-04-03"], "city": ["Oslo"]}))


def test_times_of_pandas_numpy_and_python_are_the_same():
    cells = ["2024-01-05T10:30", "2024-07-09T00:00", None]
    preprocessor = Preprocessor.fit(table(*cells), missing="median")
    expected = preprocessor.inputs({"when": cells})
    stamps = pd.Series(pd.to_datetime(cells))
    moments = [dt.datetime(2024, 1, 5, 10, 30), dt.datetime(2024, 7, 9), None]
    for same in (
        stamps,
        stamps.to_numpy(),
        stamps.to_numpy("datetime64[s]"),
        moments,
        stamps.astype(object),
        stamps.dt.tz_localize("UTC"),
    ):
        np.testing.assert_array_equal(preprocessor.inputs({"when": same}), expected)
    assert Schema.of({"when": [dt.date(2024, 1, 5), dt.date(2024, 1, 6)], "y": [1.5, 2.5]}).dates == ("when",)


@given(st.lists(st.dates(dt.date(1900, 1, 1), dt.date(2099, 12, 31)), min_size=2, max_size=9))
def test_whole_numbers_may_be_dates(dates):
    numbers = [float(f"{day:%Y%m%d}") for day in dates]
    data = table(*numbers, None)
    preprocessor = Preprocessor.fit(data, missing="median")
    assert preprocessor.schema.dates == ("when",)
    np.testing.assert_array_equal(
        preprocessor.inputs({"when": numbers}), preprocessor.inputs({"when": [day.isoformat() for day in dates]})
    )
    np.testing.assert_array_equal(
        preprocessor.inputs({"when": [*map(int, numbers)]}), preprocessor.inputs({"when": dates})
    )


def test_other_whole_numbers_are_none():
    for numbers in ([20200101, 20200230], [20200101.5], [20000000.0], [np.nan], [18991231], [2020.0]):
        assert not are_times(np.array(numbers, float))


def test_blank_times():
    data = table("2024-01-01", None, "2024-01-31", "2024-01-11")
    assert refusal(Preprocessor.fit, data) == "log: blank cells in when (1). Fill them, or choose missing='median'."
    filled = Preprocessor.fit(data, missing="median")
    np.testing.assert_array_equal(filled.inputs({"when": [None]}), filled.inputs({"when": ["2024-01-11"]}))
    np.testing.assert_array_equal(filled.inputs({"when": [math.nan]}), filled.inputs({"when": ["2024-01-11"]}))


def test_it_can_be_said_otherwise():
    data = table("2024-01-01", "2024-01-02")
    assert Schema.of(data, text="when").text == ("when",)
    ambiguous = table("1/2/2020", "3/4/2020")
    for choice, first in (("day_first", "2020-02-01"), ("month_first", "2020-01-02")):
        preprocessor = Preprocessor.fit(ambiguous, **{choice: "when"})
        np.testing.assert_array_equal(
            preprocessor.inputs({"when": ["1/2/2020"]}), preprocessor.inputs({"when": [first]})
        )


@pytest.mark.parametrize(
    ("cells", "choices", "message"),
    [
        (
            ["1/2/2020", "3/4/2020"],
            {},
            "log: column 'when' holds dates such as '1/2/2020', each of which may be day/month or month/day. "
            "Write the year first, or choose day_first=['when'] or month_first=['when'].",
        ),
        (
            ["2020-01-01", "2020-01-02", "2020-02-30"],
            {},
            "log, row 3, column 'when': expected a date or a time such as 2020-01-31, got '2020-02-30'. "
            "Mend the cell, or choose text=['when'].",
        ),
        (
            ["13/1/2020", "14/1/2020", "1/13/2020"],
            {},
            "log, row 3, column 'when': expected a date or a time such as 31/1/2020, got '1/13/2020'. "
            "Mend the cell, or choose text=['when'].",
        ),
        (
            ["1/2/2020"],
            {"day_first": "when", "month_first": "when"},
            "log: column 'when' can be read in one way only, not by day_first and month_first. Choose one.",
        ),
    ],
)
def test_refusals(cells, choices, message):
    assert refusal(Preprocessor.fit, table(*cells), **choices) == message


def test_a_later_cell_that_is_no_time():
    preprocessor = Preprocessor.fit(table("2020-01-01", "2020-01-02"))
    for cell, shown in (("soon", "'soon'"), (7.0, "7.0"), ("1/2/2020", "'1/2/2020'")):
        assert refusal(preprocessor.inputs, {"when": [cell]}) == (
            f"the data, row 1, column 'when': expected a date or a time such as 2020-01-31, got {shown}. Mend the cell."
        )
