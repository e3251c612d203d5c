"""The command line for administrators: one module per resource."""
