"""The stored data and its readers, for all other folders: tables, the index, reference data, arguments."""
