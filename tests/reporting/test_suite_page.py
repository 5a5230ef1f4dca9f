"""The pages of a suite and of a comparison, as a reader has them in a browser."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from browser import Browser, chromium
from written_suite import RIGHT, WRONG, Written, written_suite

import akgflow
from akgflow.reporting.html.comparison import side_by_side

HOSTILE = "</script></style></td><img src=x onerror='window.pwned = 1'> {{ 7 * 7 }} \u202e"
_FAST = {"eager": (2.0, 1.9, 2.1), "torch.compile": (1.2, 1.1, 1.3)}
PROBLEMS = {
    "quick": Written([RIGHT], _FAST, "easy", "gemm", source="import torch\nfast = True\nx = 1\n"),
    "late": Written([WRONG, RIGHT], {"eager": (0.8, 0.7, 0.9), "torch.compile": (0.5, 0.4, 0.6)}, "easy", "scan"),
    "never": Written([WRONG, WRONG], level="hard", kind="gemm"),
    "elsewhere": Written([], impossible=f"no such device {HOSTILE}", level="hard", kind="scan", calls=0),
}
AFTER = {
    **PROBLEMS,
    "quick": replace(PROBLEMS["quick"], speeds={"eager": (1.2, 1.1, 1.3)}, source=f"import torch\n{HOSTILE}\nx = 1\n"),
    "never": replace(PROBLEMS["quick"], level="hard"),
}
PLOTS = "[...document.querySelectorAll('.plot svg')]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as window:
        yield window


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two suites, the page of the first with those of its runs, and the page of the comparison."""
    root = tmp_path_factory.mktemp("odd <b>name")
    for name, problems in (("before", PROBLEMS), ("after", AFTER)):
        written_suite(root / name, problems)
    akgflow.report(root / "before")
    akgflow.report_comparison(akgflow.compare(root / "before", root / "after"), root / "pages.html")
    return root


def pages(folder: Path) -> tuple[Path, Path]:
    return folder / "before" / "report.html", folder / "pages.html"


@pytest.mark.parametrize("number", [0, 1], ids=["suite", "comparison"])
def test_it_is_whole_in_every_form(browser: Browser, folder: Path, number: int) -> None:
    page = pages(folder)[number]
    for width, scheme in ((1280, "light"), (1280, "dark"), (320, "light")):
        browser.screen(width, scheme=scheme)
        browser.open(page)
        browser.js("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert browser.complaints() == []
        assert [url for url in browser.requested() if not url.startswith("data:")] == [page.as_uri()]
        assert browser.js("return document.documentElement.scrollWidth") <= width
        # What others wrote is text, and what hides is written out.
        assert browser.js("return window.pwned ?? null") is None
        assert browser.js("return [document.images.length, document.scripts.length]") == [0, 1]
        text = browser.js("return document.body.textContent")
        assert "<img src=x onerror" in text and "{{ 7 * 7 }} \\u202e" in text and "\u202e" not in text
    assert browser.js(f"return {PLOTS}.length") == (3, 1)[number]
    # Each plot has its numbers as a table.
    assert browser.js("return [...document.querySelectorAll('figure')].every((one) => one.querySelector('tbody tr'))")


def test_a_suite_counts_and_names_what_failed_and_leads_to_its_runs(browser: Browser, folder: Path) -> None:
    page, _ = pages(folder)
    browser.screen(1280)
    browser.open(page)
    failures = browser.js("return document.getElementById('failures').textContent")
    assert "1 of 3 cells ended without a right kernel" in failures and "never (cpp on cpu)" in failures
    assert "1 cell was not run" in failures and "elsewhere (cpp on cpu)" in failures
    rows = browser.js("return [...document.querySelectorAll('#cells tbody tr')].map((one) => one.innerText)")
    assert [row.split()[0] for row in rows] == ["never", "late", "quick", "elsewhere"]
    assert "2.00x [1.90, 2.10]" in rows[2]
    # (2.0 * 0.8 * 1.0) ** (1 / 3): the wrong cell counts as 1.0.
    assert "1.17x" in browser.js("return document.querySelector('.headlines').textContent")
    links = browser.js("return [...document.querySelectorAll('#cells th a')].map((one) => one.getAttribute('href'))")
    assert links == [f"problems/{name}/report.html" for name in ("never", "late", "quick", "elsewhere")]
    browser.js("document.querySelector('#cells th a').click()")
    browser.wait("document.querySelector('h1').textContent === 'never'")


def test_a_comparison_says_what_changed_and_shows_the_sources(browser: Browser, folder: Path) -> None:
    _, page = pages(folder)
    browser.screen(1280)
    browser.open(page)
    rows = browser.js("return [...document.querySelectorAll('#cells .numbers tbody tr')].map((one) => one.innerText)")
    assert [(row.split()[0], row.split("\t")[3].strip()) for row in rows] == [
        ("quick", "worse"),
        ("late", "same"),
        ("never", "became right"),
        ("elsewhere", "not compared"),
    ]
    left, right = browser.js(
        "const row = document.getElementById('source.quick/cpp-cpu').querySelector('.code.del').parentElement;"
        "return [...row.querySelectorAll('.code')].map((one) => one.textContent)"
    )
    assert left == "fast = True" and right.startswith("</script>")
    # Both sides lead to their runs: to the page where there is one, else to the folder.
    was, now = browser.js(
        "return [...document.querySelectorAll('#cells td a[aria-label]')].slice(0, 2).map((a) => a.href)"
    )
    there = [Path(unquote(urlparse(url).path)) for url in (was, now)]
    assert there[0] == folder / "before/problems/quick/report.html" and there[1] == folder / "after/problems/quick"
    assert all(path.exists() for path in there)


def test_sources_stand_beside_what_came_in_their_place() -> None:
    diff = "--- a\n+++ b\n@@ -3,4 +3,3 @@\n same\n-old one\n-old two\n+--new\n end\n"
    found = [(line.at or (line.before[:2], line.after[:2])) for line in side_by_side(diff)]
    assert found == [
        "@@ -3,4 +3,3 @@",
        (("3", "same"), ("3", "same")),
        (("4", "old one"), ("4", "--new")),
        (("5", "old two"), ("", "")),
        (("6", "end"), ("5", "end")),
    ]


@pytest.mark.thorough
def test_the_commands_write_them(tmp_path: Path) -> None:
    """From a suite that is unfinished: what has not begun is named, and pages of runs are written once."""
    for name in ("one", "two"):
        written_suite(tmp_path / name, PROBLEMS)
    for file in (tmp_path / "one" / "problems" / "late").iterdir():
        if file.is_file():
            file.unlink()

    def akgflow_says(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "akgflow", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = akgflow_says("report", "one", "-o", "deep/page.html", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["file"] == str(tmp_path / "deep" / "page.html")
    text = (tmp_path / "deep" / "page.html").read_text()
    assert "1 of 4 unfinished" in text and "Unfinished, so the score may still change: late." in text
    assert 'href="../one/problems/quick/report.html"' in text
    assert json.loads(akgflow_says("score", "one", "--json").stdout)["unfinished"] == ["late"]
    written = (tmp_path / "one" / "problems" / "quick" / "report.html").stat().st_mtime_ns
    assert akgflow_says("report", "one").returncode == 0
    assert (tmp_path / "one" / "problems" / "quick" / "report.html").stat().st_mtime_ns == written
    compared = akgflow_says("compare", "two", "one", "--html", "changed.html", "--no-diff")
    assert compared.returncode == 0 and "wrote changed.html" in compared.stderr
    assert "Only in two: late/cpp-cpu" in (tmp_path / "changed.html").read_text()
    served = akgflow_says("report", "one", "--serve")
    assert served.returncode == 2 and "name one of its runs" in served.stderr
