"""What a person sees of their money, put together from several modules: for both faces."""
