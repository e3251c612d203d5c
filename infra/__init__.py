"""The AWS side of the project: the template, packaging, deploy and removal, and a rehearsal of the deploy."""
