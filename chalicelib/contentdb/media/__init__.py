"""Files and images: their bytes, checked and kept."""
