-- Returns nothing; removes what is forbidden for a person, before it is written anew.
DELETE FROM suppressions WHERE person_id = $1
