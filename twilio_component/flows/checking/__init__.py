"""What is wrong with a flow that can be read: inputs, references, variables, branches."""
