"""Compiles a question to one SQL statement that returns JSON; knows tables, facts and measures, not customers."""
