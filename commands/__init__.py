"""The admin command line: one module per noun."""
