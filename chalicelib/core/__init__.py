"""The base of all services: accounts, credentials, blobs, catalogues and jobs, without HTTP."""
