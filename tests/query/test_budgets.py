"""What a question may cost before it runs: the length of its statement, and the processor's time to make it.

A new measure that explodes is seen here, not in production. The numbers are printed with `-s`.
"""

from time import thread_time

import pytest

from schema.schema import world
from tests.query.documents import DOCUMENTS, deepest
from tests.query.questions import questions_of
from tests.query.test_golden import DIALECTS, GOLDEN, NAMES

# Thousands of characters. A page with everything and two why is what a sales desk looks at; all others are less.
KILOBYTES = {
    "a_full_page": 77,
    "a_page_of_50": 50,
    "as_of_a_day": 68,
    "every_why": 85,
    "every_why_of_value": 112,
    "typenames_everywhere": 30,
    "groups": 35,
    "a_scenario": 82,
    # Two ways to its rows: those that are settled, by the index, and those that are open.
    "loyal_by_score": 17,
}
USUAL = 15
# A quiet machine takes 110 to 190; two workers share its caches, and a test that fails by chance holds nothing.
MILLISECONDS = 500
DEEP = {"the_deepest": deepest(), "the_deepest_as_of": deepest(', asOf: "2026-01-01T00:00:00Z"')}
SMALL = {name: (GOLDEN / f"{name}.graphql").read_text(encoding="utf-8") for name in NAMES}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", [*DOCUMENTS, *DEEP, *SMALL])
def test_a_statement_is_made_within_its_budget(name: str, dialect: str) -> None:
    for question in questions_of((DOCUMENTS | DEEP | SMALL)[name]):
        took = []
        for _ in range(5):
            start = thread_time()
            # Whatever organisation it forgets is found here: compiling checks the statement's tree.
            text = world.compile(question, dialect).text
            took.append((thread_time() - start) * 1000)
            if took[-1] <= MILLISECONDS:
                break
        print(f"\n{name} {dialect}: {len(text) / 1000:.1f} kB, {min(took):.0f} ms")
        assert len(text) <= KILOBYTES.get(name, USUAL) * 1000
        assert min(took) <= MILLISECONDS
