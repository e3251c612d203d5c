"""Package queries, search, lists and the homepage."""
