"""Where classifiers are found: the offline ones, a user's own, a package's, and what is said when there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heedful.constraints import Sentiment, check
from heedful.constraints import classification as registry
from heedful.constraints.classification import (
    ENTRY_POINTS,
    TASKS,
    Classification,
    Classifier,
    get_classifier,
    register_classifier,
)
from heedful.errors import InputError


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = dict(registry._factories)
    yield
    registry._factories.clear()
    registry._factories.update(before)
    get_classifier.cache_clear()


def always(task: str, rest: str) -> Classifier:
    return lambda text: Classification(rest, {rest: 1.0}, f"{task} of {len(text)} characters", ((0, 1),))


@pytest.mark.parametrize("task", TASKS)
def test_offline_answers_all_four(task: str) -> None:
    classifier = get_classifier(task)
    assert isinstance(classifier, Classifier)
    assert get_classifier(task, "offline") is get_classifier(task, "offline")
    assert classifier("You are welcome.").reason


def test_an_unknown_task() -> None:
    with pytest.raises(InputError) as raised:
        get_classifier("colour")
    assert raised.value.cause == "no classifier answers 'colour'"
    assert raised.value.cure == "ask for one of: topic, sentiment, register, toxicity"


def test_an_unknown_prefix_says_which_are_known_and_how_to_add_one() -> None:
    with pytest.raises(InputError) as raised:
        get_classifier("topic", "ofline:x")
    assert raised.value.cause == "unknown verifier 'ofline:x': no classifier is registered under 'ofline'"
    assert raised.value.cure.startswith("did you mean 'offline'? known: ")
    assert "hf, judge, offline" in raised.value.cure
    assert "register_classifier('ofline', factory)" in raised.value.cure


def test_offline_takes_no_variant() -> None:
    with pytest.raises(InputError, match="unknown verifier 'offline:large'") as raised:
        get_classifier("topic", "offline:large")
    assert raised.value.cure == "the offline classifiers take no variant: use 'offline'"


@pytest.mark.parametrize("prefix", ["", "a:b", " a"])
def test_a_bad_prefix(prefix: str) -> None:
    with pytest.raises(InputError, match="cannot be registered under the prefix"):
        register_classifier(prefix, always)


def test_a_users_own_is_asked_and_a_later_one_replaces_it() -> None:
    register_classifier("mine", always)
    assert get_classifier("sentiment", "mine:positive")("abc").reason == "sentiment of 3 characters"
    (verdict,) = check("abc", Sentiment(sentiment="positive", verifier="mine:positive"))
    assert verdict.passed
    assert verdict.spans == ((0, 1),)
    register_classifier("mine", lambda task, rest: always(task, "negative"))
    (verdict,) = check("abc", Sentiment(sentiment="positive", verifier="mine:positive"))
    assert verdict.outcome == "unscored"  # it does not know 'positive' now


def _install(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """A package as pip leaves it, with an entry point 'installed' of ours."""
    (folder / "installed_classifiers.py").write_text(source, encoding="utf-8")
    metadata = folder / "installed_classifiers-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-classifiers\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\ninstalled = installed_classifiers:factory\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "installed_classifiers", raising=False)


def test_an_installed_package_is_found_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(
        tmp_path,
        monkeypatch,
        "from heedful.constraints.classification import Classification\n"
        "def factory(task, rest):\n    return lambda text: Classification(rest, {rest: 1.0}, task)\n",
    )
    assert get_classifier("topic", "installed:chess")("").label == "chess"


def test_an_installed_package_that_lacks_something_says_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, monkeypatch, "import a_package_that_nobody_has\n")
    with pytest.raises(InputError) as raised:
        get_classifier("topic", "installed:chess")
    assert "'installed' cannot be used here" in raised.value.cause
    assert "a_package_that_nobody_has" in raised.value.cause
    assert raised.value.cure == "install what 'installed' needs, or use verifier='offline'"


OFFLINE = """
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("a classifier reached for the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import heedful.constraints
assert not {"nltk", "vaderSentiment", "torch", "numpy"} & set(sys.modules), sorted(sys.modules)
from heedful.constraints.classification import TASKS, get_classifier
for task in TASKS:
    get_classifier(task)("What a lovely garden you have!")
assert "vaderSentiment" in sys.modules and "torch" not in sys.modules
print("done")
"""


def test_nothing_heavy_at_import_and_no_network_ever() -> None:
    ran = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "done\n", ran.stderr
