"""The English words that IFBench's types name or count. Facts only; nothing here reads a text."""

from __future__ import annotations

CONJUNCTIONS = frozenset("and but for nor or so yet".split())
"""The coordinating conjunctions."""

PRONOUNS = frozenset(
    # personal, possessive, reflexive
    """i me we us you he him she her it they them my mine our ours your yours his hers its their theirs
    myself ourselves yourself yourselves himself herself itself themselves
    """.split()
    # demonstrative, interrogative, relative
    + "this that these those who whom whose which what whoever whomever whatever whichever".split()
    # indefinite
    + """anybody anyone anything everybody everyone everything nobody nothing somebody someone something
    each either neither both all some any none""".split()
)

NAMES = tuple(
    """Emma Liam Sophia Jackson Olivia Noah Ava Lucas Isabella Mason Mia Ethan Charlotte Alexander Amelia Benjamin Harper Leo
    Zoe Daniel Chloe Samuel Lily Matthew Grace Owen Abigail Gabriel Ella Jacob Scarlett Nathan Victoria Elijah Layla Nicholas
    Audrey David Hannah Christopher Penelope Thomas Nora Andrew Aria Joseph Claire Ryan Stella Jonathan""".split()
)
"""The fifty that the prompts list."""

STOP_WORDS = frozenset(
    # Snowball's list as NLTK has it; what holds an apostrophe is left out, for words are runs of letters here.
    """i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
    itself they them their theirs themselves what which who whom this that these those am is are was were be been being have
    has had having do does did doing a an the and but if or because as until while of at by for with about against between
    into through during before after above below to from up down in out on off over under again further then once here there
    when where why how all any both each few more most other some such no nor not only own same so than too very
    can will just should now
    s t d m o y ll re ve ma don ain aren couldn didn doesn hadn hasn haven isn mightn mustn needn shan shouldn wasn weren won
    wouldn""".split()
)
