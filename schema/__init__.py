"""The public GraphQL API, read as one book: nothing but the schema is exported."""

import app.tables  # noqa: F401 - the facts are declared before their fields name them
