-- Returns nothing; lets the campaigns that use an audience look at everybody again.
UPDATE campaigns SET walked_to = NULL, walked_at = NULL WHERE audience_id = $1
