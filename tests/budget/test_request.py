"""What a request may hold beside its messages: reserved for, or refused at its place before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from model_bench import Bench, spec
from openai_server import Answer, OpenAIServer
from small_task import make_workspace

from akgflow.budget.ledger import Ledger
from akgflow.budget.request import refusals, sent_text, thinking_tokens
from akgflow.config import load
from akgflow.config.types import Budget
from akgflow.errors import ConfigError

REFUSED = {
    "how long a reply": [
        {"max_tokens": 9},
        {"maxTokens": 9},
        {"max_completion_tokens": 9},
        {"max_output_tokens": 9},
        {"max_new_tokens": 9},
        {"max_tokens_to_sample": 9},
        {"max_gen_len": 9},
        {"min_tokens": 9},
        {"ignore_eos": True},
        {"n_predict": -1},
        {"num_predict": -1},
        {"options": {"num_predict": 9}},
        {"generationConfig": {"maxOutputTokens": 9}},
        {"textGenerationConfig": {"maxTokenCount": 9}},
        {"parameters": {"max_length": 9}},
        {"sampling_params": [{"max_tokens": 9}]},
        {"extra_body": {"max_tokens": 9}},
    ],
    "several replies": [
        {"n": 4},
        {"best_of": 4},
        {"num_return_sequences": 4},
        {"generation_config": {"candidate_count": 4}},
        {"options": [{"deep": {"n": 4}}]},
    ],
    "whole number": [
        {"thinking_budget": -1},
        {"thinking": {"budget_tokens": "many"}},
        {"reasoning": {"max_tokens": 1.5}},
        {"google": {"thinking_config": {"thinking_budget": True}}},
    ],
    "akgflow sends itself": [
        {"model": "dearer"},
        {"models": ["dearer"]},
        {"messages": []},
        {"prompt": "x"},
        {"stream": False},
        {"tools": [{"type": "web_search"}]},
    ],
    "billed beside": [
        {"prediction": {}},
        {"modalities": ["audio"]},
        {"web_search_options": {}},
        {"plugins": [{"id": "web"}]},
        {"service_tier": "priority"},
        {"echo": True},
    ],
}


@pytest.mark.parametrize(("words", "body"), [(words, body) for words, bodies in REFUSED.items() for body in bodies])
def test_what_passes_beside_the_reservation_is_refused(
    words: str, body: dict[str, Any], openai_server: OpenAIServer
) -> None:
    ((setting, what, hint),) = refusals({"extra_body": body})
    assert words in what and hint
    assert what.startswith("extra_body." + str(next(iter(body)))) and setting.path[0] == "extra_body"
    bench = Bench(spec(openai_server.url, params={"extra_body": body}))
    with pytest.raises(ConfigError, match=r"models\.default\.params: extra_body"):
        bench.once()
    assert not openai_server.requests


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"temperature": 0.2, "max_tokens": 100, "stop": ["n"], "logit_bias": {"7": 1}, "service_tier": "flex"},
        {"response_format": {"type": "json_schema", "json_schema": {"properties": {"n": {}, "max_tokens": {}}}}},
        {"extra_body": {"guided_json": {"properties": {"n": {"type": "integer"}}}}},
        {"extra_body": {"structured_outputs": {"json": {"max_length": 3}}}},
        {
            "extra_body": {
                "top_k": 20,
                "min_p": 0.1,
                "repetition_penalty": 1.1,
                "chat_template_kwargs": {"thinking": True},
            }
        },
        {"extra_body": {"prompt_cache_key": "akgflow", "max_prompt_tokens": 9, "truncate_prompt_tokens": 9}},
        {"extra_body": {"provider": {"order": ["a"], "model": "quantised"}, "n": None}},
    ],
)
def test_what_changes_nothing_passes(params: dict[str, Any]) -> None:
    assert refusals(params) == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("params", "tokens"),
    [
        ({}, 0),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, 2000),
        ({"extra_body": {"thinking_budget": 300}}, 300),
        ({"extra_body": {"reasoning": {"max_tokens": 300}}}, 300),
        ({"extra_body": {"google": {"thinking_config": {"thinking_budget": 300}}}}, 300),
        ({"extra_body": {"thinking_token_budget": 300, "thinking": {"budget_tokens": 900}}}, 900),
    ],
)
def test_thinking_is_reserved_beside_the_reply(
    params: dict[str, Any], tokens: int, openai_server: OpenAIServer
) -> None:
    assert thinking_tokens(params) == tokens and refusals(params) == []
    openai_server.default = Answer(usage=(10, 10))
    model = spec(openai_server.url, model="hosted_vllm/anything", params={"max_tokens": 100, **params})
    reply = Bench(model, ledger=Ledger(Budget(tokens=10_000))).once("p")
    extra = len(sent_text(params)) // 2
    assert 237 + tokens + extra <= reply.usage.reserved <= 237 + tokens + extra + 10
    assert openai_server.requests[0].body["max_tokens"] == 100


def test_the_longer_of_two_lengths_is_reserved() -> None:
    from akgflow.models.sizes import max_output_tokens

    assert max_output_tokens(spec(params={"max_tokens": 70, "max_completion_tokens": 50})) == 70


@pytest.mark.parametrize(
    ("override", "place", "words"),
    [
        (
            "models.default.params.extra_body={max_tokens: 9}",
            ":1:",
            "extra_body.max_tokens sets how long",
        ),
        ("models.default.params.extra_body={options: {num_predict: -1}}", ":1:", "options.num_predict"),
        ("models.default.params.extra_body={n: 4}", ":1:", "asks for several replies"),
        ("models.default.params.n=4", ":1:", "'params' knows no key 'n'"),
        ("models.default.params.best_of=4", ":1:", "'params' knows no key 'best_of'"),
    ],
)
def test_the_files_are_refused_at_the_place(override: str, place: str, words: str, tmp_path: Path) -> None:
    task = make_workspace(tmp_path, "http://127.0.0.1:9/v1")
    with pytest.raises(ConfigError) as caught:
        load(str(task), overrides=[override])
    (problem,) = caught.value.problems
    assert place in str(problem) and words in problem.message


def test_several_are_said_at_once_each_at_its_own_place(tmp_path: Path) -> None:
    models = "    params:\n      extra_body:\n        n: 2\n        options:\n          num_predict: 9\n"
    task = make_workspace(tmp_path, "http://127.0.0.1:9/v1", models=models)
    with pytest.raises(ConfigError) as caught:
        load(str(task))
    assert [(p.mark.line, p.mark.column) for p in caught.value.problems if p.mark] == [(10, 9), (12, 11)]
