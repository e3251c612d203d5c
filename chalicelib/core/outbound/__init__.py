"""Every connection that Moonbase opens to the world: HTTP (`fetch`), and Git on top (`git`)."""
