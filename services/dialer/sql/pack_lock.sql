-- Nothing; whoever changes what is in force waits here, so that numbers come in the order of commits.
LOCK TABLE pack_changes IN SHARE ROW EXCLUSIVE MODE
