-- Returns nothing; notes contacts that campaigns must look at.
INSERT INTO enrolment_due (contact_id) SELECT unnest($1::uuid[])
