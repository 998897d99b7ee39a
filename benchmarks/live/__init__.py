"""The live line at depth: a thousand operators connected at once, and how soon they are told of an answer."""
