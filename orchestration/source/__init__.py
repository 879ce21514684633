"""Fetch one date from an HTTP API: the source declaration, requests, pages and pagination."""
