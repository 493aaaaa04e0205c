"""The execution of a flow as a value: it says what to do next and never does it itself."""
