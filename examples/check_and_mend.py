"""Check a text against constraints, and use what the verdicts say to mend it.

Run: python examples/check_and_mend.py
"""

from heedful import Exclude, Include, WordCount, check

asked = [WordCount(at_most=8), Include(terms=["tea"]), Exclude(terms=["coffee"])]
draft = "We drink coffee in the morning, and again in the late afternoon."
for verdict in check(draft, *asked):
    print(f"{verdict.outcome:5} {verdict.reason}; to mend: {verdict.hint or 'nothing'}")

mended = "We drink tea in the morning and afternoon."
print("mended:", [verdict.outcome for verdict in check(mended, *asked)])
