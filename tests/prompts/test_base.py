"""Base prompts: enough, distinct, and none that an embedded model was trained on."""

from heedful.prompts.base import base_prompts, further_base_prompts, training_base_prompts


def test_a_study_has_120_distinct_base_prompts_numbered_in_order() -> None:
    prompts = base_prompts()
    assert [prompt.base_id for prompt in prompts] == list(range(120))
    assert len({prompt.text for prompt in prompts}) == 120


def test_no_base_prompt_of_a_study_is_trained_on() -> None:
    assert len(training_base_prompts()) >= 60
    assert not {prompt.text for prompt in base_prompts()} & set(training_base_prompts())


def test_training_and_study_share_their_genres() -> None:
    def genre(text: str) -> str:
        return " ".join(text.split()[1:3])

    assert {genre(text) for text in training_base_prompts()} == {genre(prompt.text) for prompt in base_prompts()}


def test_further_base_prompts_are_new_numbered_on_and_a_mix_in_every_part() -> None:
    found = further_base_prompts()
    texts = {prompt.text for prompt in found}
    assert len(texts) == len(found) == 360
    assert not texts & ({prompt.text for prompt in base_prompts()} | set(training_base_prompts()))
    assert [prompt.base_id for prompt in found] == list(range(120, 480))
    assert found == further_base_prompts()
    diaries = ["diary" in prompt.text for prompt in found]
    assert abs(sum(diaries[:180]) - sum(diaries[180:])) < 12
