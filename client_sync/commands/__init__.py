"""The commands of the field client, one module a noun."""
