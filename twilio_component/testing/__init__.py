"""The bundled test harness."""
