"""Pages in one file each, of a run, a suite and a comparison, and a server on loopback that follows a run."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

from akgflow.agents import describe
from akgflow.base.serial import to_json
from akgflow.base.text import counted
from akgflow.reporting.accounts import COLUMNS, account_rows, remarks
from akgflow.reporting.html import figures
from akgflow.reporting.html.charts import COLOURS
from akgflow.reporting.html.comparison import comparison_page
from akgflow.reporting.html.page import render
from akgflow.reporting.html.search import lineage
from akgflow.reporting.html.story import Story, read_story
from akgflow.reporting.html.suite import Link, suite_page
from akgflow.reporting.html.texts import Texts
from akgflow.reporting.phrases import case_of, evidence, resources, seconds, speed
from akgflow.runs.result import Account

__all__ = ["Link", "Story", "comparison_page", "page_of", "read_story", "run_page", "suite_page"]


def run_page(folder: Path, *, served: bool = False) -> str:
    """The page of the run in ``folder``, finished or not.

    Raises `ConfigError` where it is no run's folder, `DamagedRun` where what it holds cannot be read.
    """
    return page_of(read_story(folder), served=served)


def page_of(story: Story, *, served: bool = False) -> str:
    """The page of a run that was read already."""
    texts = Texts()
    return render(
        "run.html",
        served=served,
        story=story,
        following=served and story.result is None,
        total=reduce(Account.__add__, story.accounts, Account("all")),
        speedups=figures.speedups(story),
        searches=figures.searches(story),
        rooflines=figures.rooflines(story),
        colours=COLOURS,
        lineages={job.job.id: lineage(job) for job in story.jobs if job.best},
        accounts=(COLUMNS, account_rows(story.accounts, story.budget), remarks(story.accounts)),
        texts=texts,
        keep=texts.add,
        describe=describe,
        case_of=case_of,
        counted=counted,
        evidence=evidence,
        resources=resources,
        seconds=seconds,
        speed=speed,
        to_json=to_json,
    )
