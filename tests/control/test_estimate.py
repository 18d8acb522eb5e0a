"""An estimate of tokens lies above what tokenizers count, adds up over pieces, and is not absurdly high for prose."""

from __future__ import annotations

import base64
import json
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.control.estimate import weigh

PROSE = "Write a note to a neighbour who has been away for some weeks. Use at most 20 words, and do not mention the weather."

# Text, and the larger of the counts of Mistral's SentencePiece (32,768) and Tekken (131,072) vocabularies.
COUNTED = {
    "prose": (PROSE, 29),
    "digits": ("31415926535897932384626433832795028841971693993751", 51),
    "emoji": ("😀🎉👩‍👩‍👧🔥🇩🇪", 34),
    "chinese": ("自然语言处理是人工智能的一个重要方向。今天天气很好，我们去公园散步吧。", 35),
    "korean": ("나는 고양이로소이다. 이름은 아직 없다. 어디서 태어났는지 도무지 짐작이 가지 않는다.", 53),
    "arabic": ("كان يا ما كان في قديم الزمان ملك عظيم يحكم البلاد بالعدل.", 51),
    "json": (json.dumps([{"a": i, "b": [i, "x"]} for i in range(10)], indent=1), 303),
    "base64": (base64.b64encode(bytes(range(256))).decode(), 274),
    "tabs": ("\t\n" * 20, 41),
}


@pytest.mark.parametrize("name", COUNTED)
def test_it_lies_above_what_real_tokenizers_count(name: str) -> None:
    text, counted = COUNTED[name]
    assert ceil(weigh(text)) + 1 >= counted  # a text begins with a token of its own


def test_it_is_not_absurdly_high_for_prose() -> None:
    assert weigh(PROSE) < 2 * COUNTED["prose"][1]


@given(st.lists(st.text(max_size=12), max_size=8))
def test_pieces_weigh_as_much_as_the_whole_but_for_where_they_were_cut(pieces: list[str]) -> None:
    whole, parts = weigh("".join(pieces)), sum(map(weigh, pieces))
    assert 0 <= weigh("") <= parts
    assert whole <= len("".join(pieces).encode(errors="replace"))  # a byte is the least that a token is of
    assert whole <= parts + 24 * len(pieces)
