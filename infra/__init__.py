"""What AWS needs beside the app: a template, its packaging, and a rehearsal of the deploy."""
