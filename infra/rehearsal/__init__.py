"""The steps of the rehearsal: a module for each service, and for the stages of a stack's lifecycle."""
