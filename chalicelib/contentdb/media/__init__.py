"""Files and images: validation and storage."""
