"""A local model's streams: exact, independent of each other, closed one by one, watched, continued and structured."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import jsonschema
import pytest
import torch
from tests.models.conftest import make_model, make_tokenizer
from torch import Tensor

from heedful.control import local
from heedful.control.alarm import Alarm
from heedful.control.local import LocalModel
from heedful.control.monitors import Forecast, LiveRisk, Monitor, Monitors, Threshold
from heedful.control.upstream import Delta, Request, Sampling, Usage
from heedful.errors import InputError, ModelError, UpstreamError
from heedful.models import LanguageModel, Replay, load
from heedful.models import structure as structure_module

WORDS = "the cat sat on the mat and the dog sat on the cat".split()
SITES = ("block.1.out", "embed")


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    """Nearly flat, so that any difference in noise shows, and in f64, where no rounding can."""
    return LanguageModel(make_model("llama", torch.float64, initializer_range=0.02), make_tokenizer(), name="flat")


def request(index: int, tokens: int = 20, **more: Any) -> Request:
    sampling = Sampling(
        seed=index, max_tokens=tokens, **{k: more.pop(k) for k in ("temperature", "top_p") if k in more}
    )
    return Request([{"role": "user", "content": " ".join(WORDS[: 1 + index % 9])}], sampling, **more)


async def collect(stream: Any) -> list[Delta]:
    return [delta async for delta in stream]


def text(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


def together(upstream: LocalModel, requests: Sequence[Request]) -> list[list[Delta]]:
    async def run() -> list[list[Delta]]:
        return list(await asyncio.gather(*map(collect, upstream.streams(requests))))

    return within(run)


def within(run: Callable[[], Coroutine[Any, Any, Any]], seconds: float = 60) -> Any:
    """What a coroutine gives; a hang is a failure, and so is a thread that goes on."""

    async def limited() -> Any:
        return await asyncio.wait_for(run(), seconds)

    result = asyncio.run(limited())
    for thread in threading.enumerate():
        if thread.name.startswith("heedful: "):  # the model's; a guard's loop is there for good
            thread.join(10)
            assert not thread.is_alive()
    return result


def alone(model: LanguageModel, asked: Request) -> str:
    how = asked.sampling
    [answer] = model.generate(
        [model.encode(asked.messages)], [how.seed or 0],
        temperature=how.temperature, top_p=how.top_p, max_new_tokens=how.max_tokens,
    )  # fmt: skip
    return answer.text


def test_streams_together_are_each_what_the_model_gives_alone(model: LanguageModel) -> None:
    requests = [
        request(index, 3 + 5 * (index % 4), temperature=(0.0, 1.0, 0.7)[index % 3], top_p=(1.0, 0.6)[index % 2])
        for index in range(14)
    ]
    for at_once in (4, 32):
        for asked, deltas in zip(requests, together(LocalModel(model, at_once=at_once), requests), strict=True):
            assert text(deltas) == alone(model, asked)
            *before, last = deltas
            assert all(delta.finish_reason is None and delta.usage is None for delta in before)
            drawn = sum(delta.tokens for delta in deltas)
            assert last.usage == Usage(LocalModel(model).count(asked.messages), drawn)
            assert last.finish_reason == "length" or drawn <= asked.sampling.max_tokens


def test_the_embedded_models_answer_in_words() -> None:
    pico = load("pico-llama")
    asked = Request([{"role": "user", "content": "Write a note to a neighbour."}], Sampling(seed=3, max_tokens=60))
    [deltas] = together(LocalModel(pico), [asked])
    assert text(deltas) == alone(pico, asked)
    assert len(text(deltas).split()) > 5


class Rows:
    """How many rows each forward pass of a model reads."""

    def __init__(self, model: LanguageModel) -> None:
        self.counts: list[int] = []
        self._handle = model._model.register_forward_pre_hook(self._see, with_kwargs=True)

    def _see(self, _: Any, args: Any, kwargs: Mapping[str, Any]) -> None:
        self.counts.append(len(kwargs["input_ids"]))

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()


def test_closing_one_frees_its_row_and_disturbs_no_other(model: LanguageModel) -> None:
    requests = [request(index, 60) for index in range(4)]
    expected = [alone(model, asked) for asked in requests]

    async def run() -> tuple[str, list[list[Delta]]]:
        first, *others = LocalModel(model).streams(requests)
        rest = asyncio.gather(*map(collect, others))
        begun = [await anext(first), await anext(first)]
        await first.aclose()
        assert await collect(first) == []  # closed is closed
        return text(begun), list(await rest)

    with Rows(model) as rows:
        begun, rest = within(run)
    assert expected[0].startswith(begun)
    assert [text(deltas) for deltas in rest] == expected[1:]
    assert rows.counts[0] == 4
    assert rows.counts.index(3) < 20  # its row was gone long before the others ended


def test_a_reader_that_waits_is_woken_by_the_close(model: LanguageModel) -> None:
    async def run() -> list[Delta]:
        [stream] = LocalModel(model).streams([request(0, 60)])
        reading = asyncio.create_task(collect(stream))
        await asyncio.sleep(0)
        await stream.aclose()
        return await reading

    assert len(within(run)) < 60


def test_what_is_opened_later_joins_in(model: LanguageModel) -> None:
    upstream = LocalModel(model)
    early, late = [request(0, 90)], [request(index, 40) for index in (1, 2, 3)]

    async def run() -> list[list[Delta]]:
        [first] = upstream.streams(early)
        begun = [await anext(first)]
        rest = await asyncio.gather(collect(first), *map(collect, upstream.streams(late)))
        return [begun + rest[0], *rest[1:]]

    with Rows(model) as rows:
        answers = within(run)
    assert [text(deltas) for deltas in answers] == [alone(model, asked) for asked in (*early, *late)]
    assert max(rows.counts) == 4


def test_a_loop_that_ends_leaves_no_thread(model: LanguageModel) -> None:
    async def run() -> Delta:
        [stream] = LocalModel(model).streams([request(0, 100)])
        return await anext(stream)

    assert within(run).finish_reason is None


def test_the_event_loop_goes_on_meanwhile(model: LanguageModel) -> None:
    slow = model._model.register_forward_pre_hook(lambda *_: time.sleep(0.05))

    async def run() -> int:
        [stream] = LocalModel(model).streams([request(0, 10)])
        reading, beats = asyncio.create_task(collect(stream)), 0
        while not reading.done():
            await asyncio.sleep(0.005)
            beats += 1
        return beats

    assert within(run) > 20
    slow.remove()


# --- going on ---


@pytest.mark.parametrize("thinking", [False, True])
def test_going_on_from_any_delta_ends_as_it_would_have(model: LanguageModel, thinking: bool) -> None:
    template = "{% for m in messages %}{{ m.content }}{% endfor %}<think>"
    chat = LanguageModel(model._model, make_tokenizer(template=template), name="thinks", check=False)
    upstream = LocalModel(chat if thinking else model)
    asked = request(4, 24)
    [deltas] = together(upstream, [asked])
    for index in range(len(deltas) - 1):
        left = Sampling(seed=4, max_tokens=24 - index - 1)
        again = Request(asked.messages, left, prefix=text(deltas[: index + 1]), state=deltas[index].state)
        [rest] = together(upstream, [again])
        # Bytes of an unfinished character are drawn again, so the limit may come a few tokens sooner.
        assert text(deltas).startswith(again.prefix + text(rest).rstrip("\ufffd"))
        if text(deltas[: index + 1]) == model.decode(deltas[index].state.text.ids[: index + 1]):  # type: ignore[attr-defined]
            assert again.prefix + text(rest) == text(deltas)


def test_a_prefix_alone_is_the_beginning_of_the_answer(model: LanguageModel) -> None:
    upstream = LocalModel(model)
    asked = request(3, 8, prefix="the cat")
    [deltas] = together(upstream, [asked])
    prompt = [*model.encode(asked.messages, thinking=False), *model.tokens("the cat")]
    [answer] = model.generate([prompt], [0], temperature=0.0, max_new_tokens=8)
    greedy = Request(asked.messages, Sampling(temperature=0, max_tokens=8), prefix="the cat")
    assert text(together(upstream, [greedy])[0]) == answer.text
    assert deltas[-1].usage == Usage(len(prompt), sum(delta.tokens for delta in deltas))


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("{{ messages[0].content }}<think>", "the cat<think></think>\n\nthe cat"),
        (
            "{{ messages[0].content }}<|start|>{% if messages|length > 1 %}<|channel|>final<|message|>{% endif %}",
            "the cat<|start|><|channel|>final<|message|>the cat",
        ),
        ("{{ messages[0].content }}<s>", "the cat<s>the cat"),
    ],
    ids=["opened by the template", "as gpt-oss", "none"],
)
def test_what_goes_on_from_a_prefix_does_not_think(model: LanguageModel, template: str, written: str) -> None:
    chat = LanguageModel(model._model, make_tokenizer(template=template), name="thinks", check=False)
    [answer] = [LocalModel(chat)._answer(request(1, prefix="the cat"))]
    assert chat.chat.raw(answer.row(0).prompt) == written


# --- structure ---

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 5}, "size": {"enum": ["small", "groß"]}},
    "required": ["name", "size"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("name", ["flat", "pico-llama"])
def test_what_keeps_to_a_schema_is_an_instance_of_it_or_cut_off(model: LanguageModel, name: str) -> None:
    upstream = LocalModel(model if name == "flat" else load(name))
    assert upstream.structures
    requests = [request(index, 80, schema=SCHEMA, prefix='{"name": "a' * (index % 2)) for index in range(8)]
    free = request(8, 20)
    *answers, other = together(upstream, [*requests, free])
    whole = [asked.prefix + text(deltas) for asked, deltas in zip(requests, answers, strict=True)]
    ended = [answer for answer, deltas in zip(whole, answers, strict=True) if deltas[-1].finish_reason == "stop"]
    assert len(ended) >= 3
    for answer in ended:
        jsonschema.validate(json.loads(answer), SCHEMA)
    assert text(other) == alone(upstream.model, free)  # and what shares the batch is free


@pytest.mark.parametrize(
    ("schema", "prefix", "message"),
    [
        ({"type": "nosuch"}, "", r"cannot be kept to this JSON Schema: Invalid type: nosuch\n  → leave out"),
        (SCHEMA, "[1, 2", r"is no beginning of JSON that meets the schema"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_said(
    model: LanguageModel, schema: dict[str, Any], prefix: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        LocalModel(model).streams([request(0, schema=schema, prefix=prefix)])


def test_without_llguidance_a_schema_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = LanguageModel(make_model("llama"), make_tokenizer(), name="fresh", check=False)
    for module in (structure_module, local):
        monkeypatch.setattr(module, "can_structure", lambda: False)
    upstream = LocalModel(fresh)
    assert not upstream.structures
    with pytest.raises(InputError, match=r"llguidance is not installed\n  → pip install 'heedful\[decode\]'"):
        upstream.streams([request(0, schema=SCHEMA)])


# --- risk ---


class Notes:
    """A risk probe that keeps what it is shown."""

    sites = SITES

    def __init__(self, places: int) -> None:
        self.seen: dict[int, list[Tensor]] = {place: [] for place in range(places)}

    def __call__(self, rows: Sequence[int], states: Tensor) -> None:
        for row, state in zip(rows, states, strict=True):
            self.seen[row].append(state.clone())

    def risk(self, row: int) -> dict[str, float]:
        seen = self.seen[row]
        return {"norm": float(seen[-1].norm()), "read": len(seen)} if seen else {}

    def prompt(self, rows: Sequence[int], states: Tensor) -> None:
        pass

    def alarms(self, row: int) -> tuple[Alarm, ...]:
        return ()

    def restart(self, row: int) -> None:
        self.seen[row] = []

    forget = restart


def test_a_risk_sees_each_token_that_was_read_as_replay_does(model: LanguageModel) -> None:
    requests, hooks = [request(index, 4 + 6 * index) for index in range(5)], len(model._blocks[1]._forward_hooks)
    answers = together(LocalModel(model, at_once=3, risks=[Notes]), requests)
    assert [text(deltas) for deltas in answers] == [alone(model, asked) for asked in requests]
    for asked, deltas in zip(requests, answers, strict=True):
        ids = deltas[-1].state.text.ids  # type: ignore[attr-defined]
        for index, delta in enumerate(deltas):
            # As of the token before: the first is drawn from the prompt alone.
            assert delta.risk.get("read", 0) == index
            if index:
                row = Replay(model.encode(asked.messages), ids[:index], None)
                states = model.read_all([row], SITES, ["response[-1]"]).states[:, 0, 0]
                assert delta.risk["norm"] == pytest.approx(float(states.norm()), rel=1e-9)
    assert len(model._blocks[1]._forward_hooks) == hooks  # nothing is left behind


def test_a_risk_begins_anew_where_thinking_ends(model: LanguageModel) -> None:
    template = "{% for m in messages %}{{ m.content }}{% endfor %}<think>"
    chat = LanguageModel(model._model, make_tokenizer(template=template), name="thinks", check=False)
    closing = chat.tokens("</think>")[0]
    upstream = LocalModel(chat, risks=[Notes])
    for seed in range(200):
        [deltas] = together(upstream, [request(seed, 60)])
        ids = deltas[-1].state.text.ids  # type: ignore[attr-defined]
        if closing in ids[:-5]:
            start = deltas[-1].state.text.start  # type: ignore[attr-defined]
            assert 0 < start <= len(ids)
            assert [delta.risk.get("read", 0) for delta in deltas[start : start + 4]] == [start, 1, 2, 3]
            return
    raise AssertionError("no answer thought")


def test_a_risk_sees_no_token_twice_where_an_answer_comes_as_the_thread_ends(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched, ending, go_on = model.watched, threading.Event(), threading.Event()

    @contextmanager
    def slow(*watching: Any) -> Iterator[None]:
        with watched(*watching):
            yield
            ending.set()
            go_on.wait(10)  # nothing is left to draw, and the hooks are still there

    monkeypatch.setattr(model, "watched", slow)
    upstream = LocalModel(model, risks=[Notes])

    async def run() -> list[Delta]:
        [first], [second] = upstream.streams([request(0, 4)]), upstream.streams([request(1, 6)])
        await collect(first)
        await asyncio.to_thread(ending.wait, 10)
        reading = asyncio.create_task(collect(second))
        await asyncio.sleep(0.1)  # a thread of its own would have drawn it by now
        go_on.set()
        return await reading

    assert [delta.risk.get("read", 0) for delta in within(run)] == [*range(6)]


def monitors(model: LanguageModel) -> Monitors:
    """Two with random weights, which read the prompt too; most answers raise an alarm at some token."""
    coef, prompt_coef = torch.randn(2, 2, len(SITES), 32, generator=torch.Generator().manual_seed(0))
    forecast, threshold = Forecast(0.0, 1.0, 0.1), Threshold(0.02, 95, 99, 0.05)
    each = tuple(Monitor(f"task_{width}", width, threshold, forecast) for width in (1, 3))
    return Monitors(SITES, each, coef, prompt_coef, torch.zeros(2), model.identity())


def test_monitors_say_over_a_shared_batch_what_they_say_of_each_answer_alone(model: LanguageModel) -> None:
    requests, raised = [request(index, 4 + 6 * index) for index in range(5)], 0
    answers = together(LocalModel(model, at_once=3, risks=[lambda _: LiveRisk(monitors(model))]), requests)
    for asked, deltas in zip(requests, answers, strict=True):
        live, prompt = LiveRisk(monitors(model)), model.encode(asked.messages)
        with model.watched(live.sites, live, live.prompt):
            model.generate([prompt], [asked.sampling.seed or 0], max_new_tokens=asked.sampling.max_tokens)
        assert deltas[0].risk == {}
        assert deltas[-1].risk == pytest.approx(live.risk(0), rel=1e-4)
        assert [alarm.token for alarm in deltas[-1].alarms] == [alarm.token for alarm in live.alarms(0)]
        raised += len(deltas[-1].alarms)
        # As of the token before: an alarm over response[i] comes with the delta of response[i + 1].
        for alarm in deltas[-1].alarms:
            first = next(index for index, delta in enumerate(deltas) if alarm.name in {a.name for a in delta.alarms})
            assert first == alarm.token + 1
    assert raised > 0


def test_monitors_say_nothing_of_an_answer_that_goes_on_from_a_prefix(model: LanguageModel) -> None:
    upstream = LocalModel(model, risks=[lambda _: LiveRisk(monitors(model))])
    for prefix in ("the cat", "", "the dog"):  # the first is shown before any prompt, the last in a place that was used
        [deltas] = together(upstream, [request(1, 12, prefix=prefix)])
        assert (deltas[-1].risk == {}) == bool(prefix)


def test_a_risk_that_watches_what_is_not_there_is_refused(model: LanguageModel) -> None:
    class Wrong(Notes):
        sites = ("block.9.out",)

    with pytest.raises(InputError, match=r"watch 'block.9.out', which flat lacks\n  → its sites are: embed"):
        LocalModel(model, risks=[Wrong])


# --- what goes wrong ---


def test_what_does_not_fit_is_refused_alone(model: LanguageModel) -> None:
    upstream = LocalModel(model)

    async def run() -> tuple[Any, list[Delta]]:
        long, fine = upstream.streams([request(0, 128), request(1, 5)])
        with pytest.raises(UpstreamError, match=r"passes the context of 128") as refused:
            await anext(long)
        return refused.value, await collect(fine)

    refused, fine = within(run)
    assert not refused.retry
    assert text(fine) == alone(model, request(1, 5))


def test_memory_that_runs_out_is_met_with_fewer_at_once(model: LanguageModel) -> None:
    requests = [request(index, 12) for index in range(5)]
    expected = [alone(model, asked) for asked in requests]

    def at_most(rows: int) -> Any:
        def check(_: Any, args: Any, kwargs: Mapping[str, Any]) -> None:
            if len(kwargs["input_ids"]) > rows:
                raise torch.OutOfMemoryError("CUDA out of memory")

        return model._model.register_forward_pre_hook(check, with_kwargs=True)

    handle = at_most(2)
    assert [text(deltas) for deltas in together(LocalModel(model), requests)] == expected
    handle.remove()
    handle = at_most(0)
    with pytest.raises(UpstreamError, match=r"flat ran out of memory with a single answer"):
        together(LocalModel(model), requests[:1])
    handle.remove()


def test_a_fault_reaches_everyone_who_waits_and_the_next_call_is_fine(model: LanguageModel) -> None:
    upstream = LocalModel(model)

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("a bug")

    handle = model._model.register_forward_pre_hook(fail)

    async def run() -> list[Any]:
        waiting: list[Awaitable[Any]] = [collect(stream) for stream in upstream.streams([request(0), request(1)])]
        return list(await asyncio.gather(*waiting, return_exceptions=True))

    assert [type(error) for error in within(run)] == [ZeroDivisionError, ZeroDivisionError]
    handle.remove()
    assert text(together(upstream, [request(0)])[0]) == alone(model, request(0))


class Stuck:
    """A guide that allows everything, until it raises: at the n-th draw, or at the n-th token that was drawn."""

    def __init__(self, *, at_draw: int = 0, at_token: int = 0) -> None:
        self._draws, self._tokens = at_draw, at_token

    def allowed(self) -> Tensor:
        self._draws -= 1
        if self._draws == 0:
            raise ModelError("no token goes on", "use another model")
        return torch.tensor([True])

    def take(self, token: int) -> None:
        self._tokens -= 1
        if self._tokens == 0:
            raise ModelError("no token goes on", "use another model")


@pytest.mark.parametrize("stuck", [{"at_draw": 1}, {"at_draw": 4}, {"at_token": 4}], ids=str)
def test_an_answer_that_meets_a_dead_end_takes_no_other_along(model: LanguageModel, stuck: dict[str, int]) -> None:
    requests = [request(index, 12) for index in range(5)]
    upstream = LocalModel(model, at_once=3)  # two wait, and take the place that it leaves

    async def run() -> list[Any]:
        streams = upstream.streams(requests)
        streams[1].answer._guide = Stuck(**stuck)  # type: ignore[assignment]
        return list(await asyncio.gather(*map(collect, streams), return_exceptions=True))

    first, failed, *others = within(run)
    assert isinstance(failed, ModelError)
    for asked, deltas in zip((requests[0], *requests[2:]), (first, *others), strict=True):
        assert text(deltas) == alone(model, asked)


@pytest.mark.parametrize("method", ["risk", "alarms", "forget"])
def test_a_probe_that_fails_over_one_answer_takes_no_other_along(model: LanguageModel, method: str) -> None:
    class Faulty(Notes):
        """Of the first answer in place 1."""

        left = 1

        def _fail(self, row: int, given: Any) -> Any:
            if row == 1 and self.left and (method == "forget" or self.seen[row]):
                self.left = 0
                raise ZeroDivisionError("a bug")
            return given

        def risk(self, row: int) -> dict[str, float]:
            return self._fail(row, {}) if method == "risk" else {}  # type: ignore[no-any-return]

        def alarms(self, row: int) -> tuple[Alarm, ...]:
            return self._fail(row, ()) if method == "alarms" else ()  # type: ignore[no-any-return]

        def forget(self, row: int) -> None:
            self.seen[row] = []
            if method == "forget":
                self._fail(row, None)

    requests = [request(index, 12) for index in range(4)]

    async def run() -> list[Any]:
        streams = LocalModel(model, at_once=2, risks=[Faulty]).streams(requests)
        return list(await asyncio.gather(*map(collect, streams), return_exceptions=True))

    first, failed, *others = within(run)
    assert isinstance(failed, ZeroDivisionError)
    for asked, deltas in zip((requests[0], *requests[2:]), (first, *others), strict=True):
        assert text(deltas) == alone(model, asked)


def test_bad_arguments_are_said(model: LanguageModel) -> None:
    with pytest.raises(InputError, match=r"at_once is 0"):
        LocalModel(model, at_once=0)
    with pytest.raises(InputError, match=r"state is of another upstream"):
        LocalModel(model).streams([request(0, state=object())])
    with pytest.raises(InputError, match=r"not a conversation"):
        LocalModel(model).streams([Request([{"role": "assistant", "content": "a"}])])
