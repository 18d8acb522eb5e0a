"""The values that lexical and JSON instructions ask for: everyday words that any text could use, and field names.

They belong to no topic, tone or register, so that asking for one says nothing about the other tasks.
"""

from __future__ import annotations

TERMS: tuple[str, ...] = tuple(
    """afternoon answer arm bag basket bell bench blanket bottle bowl box bridge broom brother bucket button candle
    chair chimney circle clock cloud coat coin corner corridor cup curtain cushion daughter desk door drawer dust
    envelope evening fence field finger flag floor folder fountain friend gate glove hallway hammer hand hat hill
    hour jacket jar kettle key kitchen ladder lake lamp lantern leaf lid lift lunch mirror morning mountain mug nail
    neighbour night parcel path pencil picture pillow pocket puddle queue ribbon road roof room rope rug scarf
    shadow shelf shoe sister smile spoon stairs stone street string sunlight table teapot tent towel tower tray tree
    umbrella valley vase voice wall watch whistle window winter yard""".split()
)
"""Words that an instruction may ask for: common concrete nouns."""

COMMON_WORDS: tuple[str, ...] = tuple(
    "the and was very that with for all we it not but this have had were our so there they".split()
)
"""Words that are hard to do without: what an exclusion asks for when it is meant to be difficult."""

JSON_KEYS: tuple[str, ...] = tuple(
    """title body author date summary mood place name message greeting closing note text sender details opening ending
    reason season status""".split()
)
"""Field names for JSON instructions."""
