"""Fixtures that several test modules share: small models, tables, exports and reference implementations."""
