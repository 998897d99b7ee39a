-- One kept table.
SELECT body FROM number_tables WHERE version = $1
