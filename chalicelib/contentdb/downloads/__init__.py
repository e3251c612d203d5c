"""Zips and images as clients fetch them."""
