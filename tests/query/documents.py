"""Documents that several tests ask: those of documents/*.graphql by their names, and the deepest there may be."""

from pathlib import Path

DOCUMENTS = {
    path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(__file__).with_name("documents").iterdir())
}
# A page as a sales desk shows it: everyone's standing, why, and what happened last.
FULL_PAGE, PAGE_OF_50 = DOCUMENTS["a_full_page"], DOCUMENTS["a_page_of_50"]
LEVELS = ("touchpoints", "customer", "purchases", "customer")


def deepest(argument: str = "", *, edges: bool = False) -> str:
    """customers, touchpoints, customer, purchases, customer and so on: twelve levels of fields, the last one a leaf."""
    opens, closes, cost = ("edges { node {", "} }", 3) if edges else ("nodes {", "}", 2)
    opening, closing, level, place = f"{{ customers(first: 3{argument}) {{ {opens}", f"{closes} }} }}", cost, 0
    while True:
        name = LEVELS[place % len(LEVELS)]
        further = 1 if name == "customer" else cost
        if level + further >= 12:
            return f"{opening} id {closing}"
        opening += " id customer {" if name == "customer" else f" id {name}(first: 2) {{ {opens}"
        closing = ("}" if name == "customer" else f"{closes} }}") + closing
        level += further
        place += 1
