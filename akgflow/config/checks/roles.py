"""Agents in their roles: that the form of a reply fits what a workflow does with it, and that steps fit one another."""

from __future__ import annotations

from dataclasses import fields

from akgflow.config._problems import Problems, quoted, suggest, suggestion
from akgflow.config._yaml import Node
from akgflow.config.prompts.analysis import PARTS, analyse, place_of
from akgflow.config.steps import FROM_EARLIER, KINDS, ROLES

DECISIONS = ("redesign", "recode", "stop")
"""What an advisor can decide."""
_FOR_FORM = {"must_define": "code", "edits": "code", "fields": "json"}
"""Keys of a reply's form that mean something for one form only."""
_MAKES_CODE = ("repair", "best_of", "evolve", "adaptive", "tune", "seed", "agentic")
_NOT_SERVED = ("recorded/", "manual/")
"""How the ids of models begin that stand in for an agent: nothing is written in a folder for them."""


def check_forms(agents: Node | None, problems: Problems) -> None:
    """No key of a reply's form that does nothing for its format."""
    for agent in agents.entries.values() if agents else ():
        reply = agent.at("reply")
        form = _format(agent)
        for key, node in reply.entries.items() if reply else ():
            wanted = _FOR_FORM.get(key)
            if wanted is not None and form in ("code", "sketch", "text", "json") and form != wanted:
                what = f"{key!r} does nothing for a reply of the format {form}"
                problems.add(node.place, what, f"take it out, or write 'format: {wanted}'")


def check_workflows(
    workflows: Node | None, agents: Node | None, models: Node | None, facts: frozenset[str], problems: Problems
) -> None:
    """Each step of each workflow: who is asked can answer in the form that is needed, and what is taken is code."""
    for name, workflow in workflows.entries.items() if workflows else ():
        steps = workflow.at("steps")
        if steps is not None and agents is not None:
            _Workflow(name, steps, agents, models, facts, problems).check()


class _Workflow:
    """The steps of one workflow in their order; ``texts`` and ``codes`` are the earlier ones that give either."""

    def __init__(
        self, name: str, steps: Node, agents: Node, models: Node | None, facts: frozenset[str], problems: Problems
    ) -> None:
        self._name, self._steps, self._agents, self._models = name, steps, agents, models
        self._facts, self._problems = facts, problems
        self._texts: dict[str, None] = {}
        self._codes: dict[str, None] = {}

    def check(self) -> None:
        designers = [self._agent(step) for step in self._steps.entries.values() if "agent" in step.entries]
        designer = next((one for one in designers if one is not None and _format(one) in ("sketch", "text")), None)
        for name, step in self._steps.entries.items():
            kind = next((key for key in KINDS if key in step.entries), "")
            self._takes_code(name, step)
            for key, role in ROLES.get(kind, {}).items():
                node, agent = step.at(key), self._agent(step, key)
                if node is None or agent is None:
                    continue
                self._reads(agent)
                if role == "work":
                    self._works(node, agent)
                if role == "advise":
                    self._advises(node, agent)
                    if designer is not None:
                        self._reads(designer)
                elif role != "ask" and _format(agent) != "code":
                    what = f"agent {quoted(node.text or '')} answers with {_format(agent)}, and this step needs code"
                    self._problems.add(node.mark, what, "name an agent whose reply has 'format: code'")
            if kind == "evolve":
                _check_population(step, self._problems)
            self._gives(name, step, kind)

    def _agent(self, step: Node, key: str = "agent") -> Node | None:
        named = step.at(key)
        return self._agents.entries.get(named.text) if named is not None and named.text is not None else None

    def _takes_code(self, name: str, step: Node) -> None:
        for node in (found for key in FROM_EARLIER if key in step.entries for found in _one_or_many(step.entries[key])):
            if node.text in self._texts:
                what = f"step {quoted(node.text or '')} makes no code that {quoted(name)} could go on from"
                self._problems.add(node.mark, what, suggest("", self._codes) if self._codes else "name one that does")

    def _gives(self, name: str, step: Node, kind: str) -> None:
        agent = self._agent(step)
        if kind in _MAKES_CODE or (agent is not None and _format(agent) == "code"):
            self._codes[name] = None
        elif agent is not None:
            self._texts[name] = None
            samples = step.at("samples")
            if samples is not None and isinstance(samples.value, int) and samples.value > 1:
                what = f"a {_format(agent)} is read once: the other samples would be paid for and never used"
                self._problems.add(samples.place, what, "take 'samples' out")

    def _works(self, named: Node, agent: Node) -> None:
        """An agent that works in a folder is a program; a recording may stand in for one."""
        first = agent.at("model")
        others = self._model(first).at("fallbacks") if first is not None else None
        for asked in [*([first] if first is not None else []), *(others.items if others is not None else ())]:
            served = self._model(asked).at("model")
            if served is not None and served.text is not None and not served.text.startswith(_NOT_SERVED):
                name = quoted(asked.text or "")
                what = f"agent {quoted(named.text or '')} may ask the model {name}, which cannot work in a folder"
                self._problems.add(named.mark, what, "name an agent whose model is a command, such as [claude, -p]")

    def _model(self, named: Node) -> Node:
        """The entry of ``models`` that a name means; an empty one where there is none."""
        entries = self._models.entries if self._models is not None else {}
        return entries.get(named.text or "", Node({}, named.mark, named.place))

    def _advises(self, named: Node, agent: Node) -> None:
        """An advisor decides and advises: anything else that it says is never read."""
        name = quoted(named.text or "")
        decision = agent.at("reply", "fields", "decision")
        lacking = [key for key in ("decision", "advice") if agent.at("reply", "fields", key) is None]
        if _format(agent) != "json" or lacking:
            what = f"agent {name} is no advisor: its reply has no {' and no '.join(lacking or ['JSON form'])}"
            hint = f"give it 'format: json' with the fields decision ({', '.join(DECISIONS)}) and advice"
            self._problems.add(named.mark, what, hint)
            return
        options = decision.at("enum") if decision else None
        for option in options.items if options else ():
            if option.value not in DECISIONS:
                what = f"agent {name} may decide {option.value!r}, which no workflow knows"
                self._problems.add(option.mark, what, suggestion(str(option.value), DECISIONS))
        if decision is not None and options is None:
            what = f"the decision of agent {name}, an advisor, may be anything"
            self._problems.add(decision.place, what, f"add 'enum: [{', '.join(DECISIONS)}]'")

    def _reads(self, agent: Node) -> None:
        """Every ``steps.NAME`` of an agent's templates is an earlier step of this workflow that gives a text."""
        for part in PARTS:
            node = agent.at(part)
            if node is None or node.text is None or "steps" not in node.text:
                continue
            for read in analyse(node.text, self._facts).steps:
                if read.name in self._texts or read.optional:
                    continue
                here = read.name in self._steps.entries
                why = "gives no text before this agent is asked" if here else "is not there"
                what = f"workflow {quoted(self._name)}: step {quoted(read.name)} {why}"
                hint = suggest(read.name, self._texts) if self._texts else "ask an agent for text or JSON before it"
                self._problems.add(place_of(node, read.line, read.name, self._problems), what, hint)


def _check_population(step: Node, problems: Problems) -> None:
    """Numbers of an evolution that contradict one another, with what holds where one is not written."""
    default = {field.name: field.default for field in fields(KINDS["evolve"])}
    node = step.at("elites") or step.at("population")
    elites, population = (getattr(step.at(key), "value", default[key]) for key in ("elites", "population"))
    if node is not None and isinstance(elites, int) and isinstance(population, int) and elites > population:
        what = f"{elites} elites do not fit into a population of {population}"
        problems.add(node.place, what, f"'elites' is at most {population}")
    tiers = step.at("tiers")
    if tiers is not None and tiers.items and all(one.value == 0 for one in tiers.items):
        problems.add(tiers.place, "the weights of all tiers are 0: no parent could be drawn", "raise one of them")


def _format(agent: Node) -> str:
    form = agent.at("reply", "format")
    return (form.text or "text") if form is not None else "text"


def _one_or_many(node: Node) -> list[Node]:
    return node.items or [node]
