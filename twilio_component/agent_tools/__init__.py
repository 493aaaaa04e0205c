"""Flows and read-only actions as tools of an agent, over MCP. Needs the extra ``mcp``; nothing is imported here."""
