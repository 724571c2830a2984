"""All SQL: one statement for both engines, one module a noun."""
