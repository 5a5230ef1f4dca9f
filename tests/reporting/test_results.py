"""What is printed of a run's jobs."""

from akgflow.reporting.results import gain_rows
from akgflow.runs.result import Gain


def test_a_step_that_did_nothing_has_no_row():
    drafted, tuned = (1.2, 1.1, 1.3), (1.5, 1.4, 1.6)
    gains = (
        Gain("draft", "PASSED", drafted, tokens=1234, judged=1, device_seconds=5.0),
        Gain("repair", "PASSED", drafted),
        Gain("tune", "PASSED", tuned, judged=4, device_seconds=9.0),
    )
    rows = gain_rows(gains)
    assert [row[0] for row in rows] == ["draft", "tune"]
    assert [row[2] for row in rows] == ["", "+25%"]
    assert rows[0][3] == "1,234"
