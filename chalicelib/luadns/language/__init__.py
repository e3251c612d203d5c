"""The language of zone files, and the templates of the system."""
