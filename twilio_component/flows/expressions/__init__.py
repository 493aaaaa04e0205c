"""References, templates and operators, and their values."""
