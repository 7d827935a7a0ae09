"""The HTML face: HTMX pages over backend.services."""
