"""The OpenAPI document, made from the handlers: their types, docstrings and opts."""
