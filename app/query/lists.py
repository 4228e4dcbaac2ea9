"""A list as one parameter of SQLite: the JSON text that json_each reads."""

from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.platform.database import binder


class JsonList(TypeDecorator[Any]):
    """Its items as they are stored."""

    impl = Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> str:
        bind = binder(self.item, dialect)
        return orjson.dumps([bind(item) for item in value or ()]).decode()
