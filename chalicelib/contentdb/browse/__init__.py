"""Finding packages: queries, search, lists, the homepage."""
