-- Changes before a number, newest first.
SELECT number, id, before, after, at, by FROM pack_changes WHERE number < $1 ORDER BY number DESC LIMIT $2
