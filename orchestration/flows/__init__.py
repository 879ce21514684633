"""Prefect flows: thin decorators over the plain functions of the run protocol."""
