"""Postgres: named .sql files and the one module that runs them."""
