"""A demo organisation: people, staff, a running campaign and simulated operators, made and worked from outside.

It is a process of its own that knows Galw as any client does, by HTTP and the live WebSocket. Only the accounts of the
staff are made straight in the database, since their printed passwords are too weak for the API.
"""
