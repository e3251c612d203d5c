"""What the rehearsal of a deploy does: a module for each service, and for each turn in a stack's life."""
