-- Returns nothing; drops suppressions that were for a time only, and notes whom they kept out as due for enrolment.
WITH gone AS (
    DELETE FROM suppressions WHERE expires_at <= $1 RETURNING person_id, number_digest
)
INSERT INTO enrolment_due (contact_id)
SELECT c.id FROM gone JOIN contacts c ON c.id = gone.person_id
UNION
SELECT n.contact_id FROM gone JOIN contact_numbers n ON n.digest = gone.number_digest
