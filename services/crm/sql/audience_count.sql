-- Returns how many contacts fit; the filter's condition takes the place of "true /* filter */".
SELECT count(*) FROM contacts c WHERE c.erased_at IS NULL AND true /* filter */
