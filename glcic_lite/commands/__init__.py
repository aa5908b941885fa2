"""The command line, a module a command; `folders` and `importing` are what two of them do."""
