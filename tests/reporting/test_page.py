"""The report of a run, as a reader has it in a browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import Browser, chromium
from written_run import WrittenRun, searched_run, written_run

from akgflow.reporting.html import run_page

HOSTILE = {
    "script": "<script>window.pwned = 1</script>",
    "end of script": "</script><script>window.pwned = 1</script>",
    "end of style": "</style></title></textarea><script>window.pwned = 1</script>",
    "handler": "<img src=x onerror='window.pwned = 1'><svg onload=window.pwned=1>",
    "end of attribute": "\" autofocus onfocus='window.pwned = 1' x='",
    "template": "{{ 7 * 7 }} {% raw %} ${7 * 7} <!-- --> ]]> &lt;b&gt;",
}
BIDI = "a \u202e reversed \u2066 isolated \u200b nothing \x1b[2J \u2028"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Browser:
    window.screen(1280)
    return window


def finished(path: Path, candidates: int = 12, words: str = "") -> Path:
    """The report of a finished run that was written for the test."""
    *_, run = searched_run(path, candidates, words)
    run.finish()
    run.close()
    return report_of(path)


def report_of(run: Path) -> Path:
    page = run.with_suffix(".html")
    page.write_text(run_page(run), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("runs") / "gemm", 24)


OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
ALL_FILLED = "![...document.querySelectorAll('pre[data-text]')].some((one) => !one.textContent)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_without_a_complaint_and_asks_nobody(browser: Browser, page: Path, scheme: str) -> None:
    browser.screen(1280, scheme=scheme)
    browser.open(page)
    browser.js(OPEN_ALL)
    browser.wait(ALL_FILLED)
    assert browser.complaints() == []
    assert [url for url in browser.requested() if not url.startswith("data:")] == [page.as_uri()]
    ink, paper = browser.js("const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]")
    assert (_brightness(ink) > _brightness(paper)) == (scheme == "dark")


def _brightness(colour: str) -> float:
    return sum(map(float, colour.removeprefix("rgb(").removesuffix(")").split(",")))


def test_a_screen_reader_finds_its_way(browser: Browser, page: Path) -> None:
    browser.open(page)
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    said = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node.get("ignored") and "role" in node
    ]
    roles = [role for role, _ in said]
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert roles.count(landmark) == 1, landmark
    regions = [name for role, name in said if role == "region"]
    for name in ("Verdicts", "The search as it went", "Roofline", "Portability", "Money and time", "Every candidate"):
        assert name in regions
    plots = [name for role, name in said if role in ("image", "img")]
    assert len(plots) == 5 and all("the table below has its numbers" in name for name in plots)
    # Each plot has its numbers as a table, each table its name, and each control its label.
    assert browser.js("return [...document.querySelectorAll('figure')].every((one) => one.querySelector('tbody tr'))")
    assert all(name for role, name in said if role in ("table", "textbox", "combobox", "searchbox", "button", "link"))
    assert browser.js("return document.documentElement.lang") == "en"
    ids = browser.js("return [...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    missing = "[...document.querySelectorAll('[aria-labelledby]')].filter((one) => !document.getElementById("
    assert browser.js(f"return {missing}one.getAttribute('aria-labelledby'))).length") == 0


def test_the_keyboard_opens_and_closes(browser: Browser, page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.open(page)
    browser.press(Keys.TAB)
    assert browser.js("return document.activeElement.className") == "skip"
    browser.js("document.getElementById('close').focus()")
    browser.press(Keys.TAB)
    here = "document.activeElement.parentElement"
    assert browser.js(f"return {here}.className") == "turn"
    browser.press(Keys.ENTER)
    assert browser.js(f"return {here}.open")
    for _ in range(20):
        browser.press(Keys.TAB)
        if browser.js("return document.activeElement.textContent") == "Source":
            break
    browser.press(Keys.SPACE)
    source = browser.wait(f"{here}.open && {here}.querySelector('pre').textContent")
    assert "tl.arange" in source
    browser.press(Keys.SPACE)
    assert not browser.js(f"return {here}.open")


@pytest.mark.parametrize("width", [320, 768])
def test_a_narrow_screen_scrolls_one_way_only(browser: Browser, page: Path, width: int) -> None:
    browser.screen(width)
    browser.open(page)
    browser.js(OPEN_ALL)
    browser.wait(ALL_FILLED)
    assert browser.js("return document.documentElement.scrollWidth") <= width


def test_a_link_leads_to_a_folded_candidate(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.js("document.querySelector('#verdicts td a').click()")
    target = browser.js("return decodeURIComponent(location.hash.slice(1))")
    browser.wait(f"document.getElementById('{target}').open")


def test_candidates_can_be_filtered(browser: Browser, page: Path) -> None:
    browser.open(page)
    shown = "[...document.querySelectorAll('.turn')].filter((one) => one.checkVisibility())"
    assert browser.js(f"return {shown}.length") == 24
    choose = "const it = document.getElementById('filter'); it.value = 'wrong'; it.dispatchEvent(new Event('change'))"
    browser.js(choose)
    wrong = browser.js(f"return {shown}.map((one) => one.querySelector('.badge').textContent)")
    assert wrong and set(wrong) == {"INCORRECT_NUMERICAL"}
    browser.driver.find_element("id", "words").send_keys("triton evolve")
    browser.wait(f"{shown}.every((one) => one.id.startsWith('triton'))")
    assert "of 24 shown" in browser.js("return document.getElementById('count').textContent")


@pytest.mark.parametrize("words", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_text_stays_text(browser: Browser, tmp_path: Path, words: str) -> None:
    page = finished(tmp_path / "gemm", 5, words)
    browser.open(page)
    browser.js(OPEN_ALL)
    browser.wait(ALL_FILLED)
    assert browser.js("return window.pwned ?? null") is None
    assert browser.js("return [document.scripts.length, document.images.length, document.styleSheets.length]") == [
        2,
        0,
        1,
    ]
    assert not browser.js("return document.querySelector('[onfocus], [onload], [onerror], [autofocus]')")
    # Every place that shows it shows it as it was written: summary, feedback, verdict, source, prompt and reply.
    holds = "[...document.querySelectorAll('.said, .turn pre')].filter((one) => one.textContent.includes(arguments[0]))"
    assert browser.js(f"return {holds}.length", words) >= 5
    assert browser.complaints() == []


def test_marks_that_hide_are_written_out(browser: Browser, tmp_path: Path) -> None:
    browser.open(finished(tmp_path / "gemm", 5, BIDI))
    browser.js(OPEN_ALL)
    browser.wait(ALL_FILLED)
    text = browser.js("return document.body.textContent")
    assert "\\u202e reversed \\u2066 isolated \\u200b nothing \\x1b[2J \\u2028" in text
    assert not set("\u202e\u2066\u200b\x1b\u2028") & set(text)


def test_markup_that_got_in_could_reach_nobody(browser: Browser, page: Path) -> None:
    """The policy is the second wall: it holds where the first is taken away."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        browser.open(page)
        browser.js(
            "document.body.insertAdjacentHTML('beforeend', arguments[0])",
            f"<img src='{url}/img'><link rel=stylesheet href='{url}/css'><iframe src='{url}/frame'></iframe>"
            f"<p style='background: url({url}/style)' onclick='window.pwned = 1' id=bait>x</p>",
        )
        browser.js("document.getElementById('bait').click(); document.createElement('script').text = ''")
        failed = "fetch(arguments[0]).then(() => done('reached'), () => done('refused'))"
        script = f"const done = arguments[1]; {failed}"
        assert browser.driver.execute_async_script(script, f"{url}/fetch") == "refused"
        assert browser.js("return window.pwned ?? null") is None
        assert browser.complaints() != []
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []


def test_a_run_that_was_killed_has_a_page(browser: Browser, tmp_path: Path) -> None:
    run = written_run(tmp_path / "gemm")
    for number in (1, 2):
        run.turn(run.plan.jobs[0], "code", number, speed=None)
    run.close()
    with run.folder.journal.open("ab") as journal:
        journal.write(b'{"key": "call torn')
    browser.open(report_of(run.path))
    assert browser.js("return document.querySelector('#facts dd').textContent") == "unfinished"
    assert browser.js("return document.querySelectorAll('.turn').length") == 2
    assert browser.complaints() == []


@pytest.mark.thorough
def test_a_thousand_candidates_stay_light(browser: Browser, tmp_path: Path) -> None:
    page = finished(tmp_path / "gemm", 1_000)
    assert page.stat().st_size < 10_000_000
    browser.open(page)
    assert browser.js("return document.querySelectorAll('.turn').length") == 1_000
    # On the page's own clock, and with room for a machine that is busy.
    took = browser.js("return performance.timing.domComplete - performance.timing.responseEnd")
    assert took < 20_000
    typed = (
        "const from = performance.now(), it = document.getElementById('words');"
        "it.value = 'triton 7-3'; it.dispatchEvent(new Event('input')); document.body.offsetHeight;"
        "return performance.now() - from"
    )
    assert browser.js(typed) < 2_000
    browser.js("document.querySelector('.turn:not([hidden])').open = true")
    browser.js("document.querySelectorAll('.turn[open] details').forEach((one) => { one.open = true; })")
    browser.wait("![...document.querySelectorAll('.turn[open] pre')].some((one) => !one.textContent)")
    assert browser.complaints() == []


class Served:
    """``akgflow report --serve`` as a process."""

    def __init__(self, run: WrittenRun) -> None:
        command = [sys.executable, "-m", "akgflow", "report", str(run.path), "--serve", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ})
        assert self.process.stdout is not None
        text = "".join(iter(self.process.stdout.readline, "}\n")) + "}"
        self.url: str = json.loads(text)["url"]

    def status(self, url: str, host: str | None = None) -> int:
        request = urllib.request.Request(url, headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def test_a_served_page_follows_the_run(browser: Browser, tmp_path: Path) -> None:
    run = written_run(tmp_path / "gemm")
    first, second = run.plan.jobs[:2]
    run.turn(first, "code", 1, speed=0.5)
    served = Served(run)
    try:
        browser.open(served.url)
        browser.js("window.before = true; document.querySelector('.turn').open = true")
        browser.js("document.querySelector('.turn details[id$=source]').open = true")
        browser.wait("document.querySelector('.turn details[id$=source] pre').textContent")
        run.turn(first, "code", 2, speed=2.0)
        run.turn(second, "code", 1, speed=None)
        browser.wait("document.querySelectorAll('.turn').length === 3")
        assert browser.js("return window.before"), "the page was loaded again as a whole"
        assert "2.00x" in browser.js("return document.getElementById('verdicts').textContent")
        opened = "document.getElementById(arguments[0]).querySelector('details[id$=source]')"
        kept = browser.js(f"const it = {opened}; return it.open && it.textContent", f"{first.id}.code.1.1")
        assert "tl.arange" in kept
        # A text that came later is there too.
        browser.js(f"{opened}.open = true", f"{first.id}.code.2.1")
        browser.wait(f"document.getElementById('{first.id}.code.2.1').querySelector('[id$=source] pre').textContent")
        run.finish()
        browser.wait("document.getElementById('live').textContent === 'The run is finished.'")
        assert "finished" in browser.js("return document.getElementById('facts').textContent")
        asked = {url for url in browser.requested() if not url.startswith("data:")}
        assert all(url.startswith(served.url) for url in asked)
        assert browser.complaints() == []
    finally:
        code = served.interrupt()
        run.close()
    assert code == 0


def test_a_served_page_is_for_its_reader_alone(tmp_path: Path) -> None:
    run = written_run(tmp_path / "gemm")
    run.turn(run.plan.jobs[0], "code", 1, speed=0.5)
    served = Served(run)
    try:
        assert served.status(served.url) == 200
        root = served.url.rsplit("/", 2)[0]
        assert [served.status(f"{root}/"), served.status(f"{root}/state"), served.status(f"{root}/guessed/")] == [
            404
        ] * 3
        assert served.status(served.url, host="rebound.example") == 403
    finally:
        assert served.interrupt() == 0
        run.close()
