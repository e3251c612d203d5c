"""What is stored, and what every other room reads it with: tables, the index, reference data, arguments."""
