"""The JSON face for phones and merchants, over backend.services."""
