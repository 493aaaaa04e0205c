"""What an emulated account holds: messages, numbers, services, templates."""
