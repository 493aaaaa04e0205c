"""Questions to people: one row each while they are open, and what their replies do."""
