"""``python -m akgflow.executors.ray``: questions about one cluster on standard input, its `Survey` as the last line."""

from __future__ import annotations

import json
import sys
import time

from akgflow import __version__
from akgflow.base.serial import from_data, to_data
from akgflow.executors.reach import SURVEY_SECONDS, Answer, Question, Survey

MOST_NODES = 8
"""How many of the nodes that have the resources are looked at."""


def main() -> None:
    """Answer and leave."""
    questions = [from_data(one, Question) for one in json.loads(sys.stdin.read())]
    sys.stdout.write(json.dumps(to_data(Survey(_answers(questions)))) + "\n")


def _answers(questions: list[Question]) -> dict[str, Answer]:
    try:
        from akgflow.executors.ray.cluster import NoCapacity, connect
    except ModuleNotFoundError as error:
        missing = f"{error.name} is not installed: pip install 'akgflow[ray]'"
        return {question.target.name: Answer(missing) for question in questions}
    reach = questions[0].target.reach
    assert reach is not None, "only targets that are elsewhere are asked about"
    try:
        connect(reach.address)
    except NoCapacity as full:
        return {question.target.name: Answer(str(full)) for question in questions}
    return {question.target.name: _answer(question) for question in questions}


def _answer(question: Question) -> Answer:
    """Look at the nodes that have what the target takes; the first that lacks least speaks for all of them."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from akgflow.executors.ray.cluster import NoCapacity, offering
    from akgflow.executors.ray.node import look

    reach = question.target.reach
    assert reach is not None, "only targets that are elsewhere are asked about"
    try:
        nodes = offering(reach)
    except NoCapacity as full:
        return Answer(str(full))
    asked = json.dumps(to_data(question))
    remote = ray.remote(num_cpus=0, max_retries=0)(look)
    looks = {
        str(node): remote.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(asked)
        for node in nodes[:MOST_NODES]
    }
    found, problems = {}, []
    deadline = time.monotonic() + SURVEY_SECONDS / 2
    for name, reference in looks.items():
        try:
            said = json.loads(ray.get(reference, timeout=max(0.1, deadline - time.monotonic())))
        except Exception as error:
            problems.append(f"node {name} could not be looked at: {str(error).strip().splitlines()[-1]}")
            continue
        if said["version"] == __version__:
            found[name] = said
        else:
            problems.append(f"node {name} has akgflow {said['version']}, and this is {__version__}")
    if not found:
        return Answer("; ".join(problems))
    data = {
        "places": sum(node.capacity for node in nodes),
        "machines": {name: said["machine"] for name, said in found.items()},
        "missing": min((said["missing"] for said in found.values()), key=_lacking),
    }
    return from_data(data, Answer)


def _lacking(missing: dict[str, dict[str, str | None]]) -> int:
    return sum(reason is not None for reasons in missing.values() for reason in reasons.values())


if __name__ == "__main__":
    main()
