"""The embedded name server: sockets, caches and its process. `chalicelib.luadns.resolver` has the rules of DNS."""
