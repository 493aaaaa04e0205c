"""What an operator sees and does: ``runs list``, ``retry``, ``pause`` and the rest."""
