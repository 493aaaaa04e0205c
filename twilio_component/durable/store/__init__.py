"""The tables: runs, their journal, what flows keep, registrations; and how they are written."""
