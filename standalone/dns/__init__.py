"""The embedded name server: transport, caches and its process, around the rules in `chalicelib.luadns.resolver`."""
