-- A batch of changes in one round trip. The store judges a batch in Python; nearly all of them fit as they are, and these
-- functions find that out and write it where the rows are. What does not fit is left untouched, for Python to explain.

CREATE FUNCTION commit_write(attempts_now json, operators_now json, leads_now json, responses_now json) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF json_array_length(attempts_now) > 0 THEN
        -- Calls that end are counted for the gate: who answered, and who of them met nobody.
        INSERT INTO answered_hours AS h (campaign_id, hour, answered, abandoned)
        SELECT a.campaign_id, date_trunc('hour', n.answered_at, 'UTC'), count(*),
            count(*) FILTER (WHERE n.outcome = 'abandoned')
        FROM json_to_recordset(attempts_now) AS n (id uuid, outcome text, answered_at timestamptz)
        JOIN attempts AS a ON a.id = n.id
        WHERE n.outcome IN ('answered', 'abandoned') AND n.answered_at IS NOT NULL AND a.ended_at IS NULL
        GROUP BY 1, 2
        ORDER BY 1, 2
        ON CONFLICT (campaign_id, hour) DO UPDATE
        SET answered = h.answered + excluded.answered, abandoned = h.abandoned + excluded.abandoned;

        UPDATE attempts AS a
        SET state = n.state, version = n.version, operator_id = n.operator_id, outcome = n.outcome, cause = n.cause,
            machine = n.machine, abandoned = n.abandoned, held = n.held, hangup_requested = n.hangup_requested,
            dialed_at = n.dialed_at, ringing_at = n.ringing_at, answered_at = n.answered_at,
            connected_at = n.connected_at, ended_at = n.ended_at
        FROM json_to_recordset(attempts_now) AS n (
            id uuid, state text, version int, operator_id uuid, outcome text, cause int, machine bool, abandoned bool,
            held bool, hangup_requested bool, dialed_at timestamptz, ringing_at timestamptz, answered_at timestamptz,
            connected_at timestamptz, ended_at timestamptz
        )
        WHERE a.id = n.id;
    END IF;

    IF json_array_length(operators_now) > 0 THEN
        UPDATE operators AS o
        SET state = n.state, reason = n.reason, since = n.since, version = n.version, attempt_id = n.attempt_id,
            offer_lead_id = n.offer_lead_id, next_state = n.next_state, next_reason = n.next_reason,
            ready_in_at = n.ready_in_at, instance_id = n.instance_id, disconnected_at = n.disconnected_at
        FROM json_to_recordset(operators_now) AS n (
            id uuid, state text, reason text, since timestamptz, version int, attempt_id uuid, offer_lead_id uuid,
            next_state text, next_reason text, ready_in_at timestamptz, instance_id uuid, disconnected_at timestamptz
        )
        WHERE o.id = n.id;
    END IF;

    IF json_array_length(leads_now) > 0 THEN
        UPDATE leads AS l
        SET state = n.state, result = n.result, stream = n.stream, next_at = n.next_at, held_by = n.held_by,
            step = n.step, phone_index = n.phone_index, attempts = n.attempts, tries = n.tries,
            callback_operator = n.callback_operator, version = n.version
        FROM json_to_recordset(leads_now) AS n (
            id uuid, state text, result text, stream int, next_at timestamptz, held_by text, step int, phone_index int,
            attempts int, tries jsonb, callback_operator uuid, version int
        )
        WHERE l.id = n.id;
    END IF;

    IF json_array_length(responses_now) > 0 THEN
        INSERT INTO responses (
            attempt_id, revision, campaign_id, contact_id, operator_id, script_id, script_version, language, answers,
            disposition, note, at
        )
        SELECT * FROM json_to_recordset(responses_now) AS n (
            attempt_id uuid, revision int, campaign_id uuid, contact_id uuid, operator_id uuid, script_id uuid,
            script_version int, language text, answers jsonb, disposition text, note text, at timestamptz
        )
        ON CONFLICT (attempt_id) DO UPDATE
        SET revision = excluded.revision, answers = excluded.answers, disposition = excluded.disposition,
            note = excluded.note, at = excluded.at, operator_id = excluded.operator_id;
    END IF;
END $$;
COMMENT ON FUNCTION commit_write IS 'Attempts, operators, leads and responses replace what may change of those stored';

-- *dials* are the attempts that are about to ring; every row says in *was* which version (a response: revision) the
-- batch was decided on. Locks are taken in the order of all batches: people, attempts, operators, leads, each by id.
-- What is read after them is read by statements of their own, which see what the last holder stored.
CREATE FUNCTION commit_batch(
    contacts uuid[], fences json, dials json,
    attempts_now json, operators_now json, leads_now json, responses_now json,
    source text, traceparent text,
    shards smallint[], topics text[], keys uuid[], ids uuid[], types text[], payloads bytea[]
) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    fitting bigint;
    at timestamptz;
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT contact_id, suppressed_at, erased_at FROM people
            WHERE contact_id = ANY(contacts) ORDER BY contact_id FOR NO KEY UPDATE
        ) AS p
        WHERE p.erased_at IS NOT NULL OR (p.suppressed_at IS NOT NULL AND p.contact_id IN (
            SELECT d.contact_id FROM json_to_recordset(dials) AS d (contact_id uuid)
        ))
    ) THEN
        RETURN NULL;
    END IF;

    PERFORM FROM attempts AS a JOIN json_to_recordset(attempts_now) AS n (id uuid, was int) USING (id)
    WHERE a.version = n.was ORDER BY a.id FOR UPDATE OF a;
    GET DIAGNOSTICS fitting = ROW_COUNT;
    IF fitting < json_array_length(attempts_now) THEN
        RETURN NULL;
    END IF;

    PERFORM FROM operators AS o JOIN json_to_recordset(operators_now) AS n (id uuid, was int) USING (id)
    WHERE o.version = n.was ORDER BY o.id FOR UPDATE OF o;
    GET DIAGNOSTICS fitting = ROW_COUNT;
    IF fitting < json_array_length(operators_now) THEN
        RETURN NULL;
    END IF;

    PERFORM FROM leads AS l JOIN json_to_recordset(leads_now) AS n (id uuid, was int) USING (id)
    WHERE l.version = n.was ORDER BY l.id FOR UPDATE OF l;
    GET DIAGNOSTICS fitting = ROW_COUNT;
    IF fitting < json_array_length(leads_now) THEN
        RETURN NULL;
    END IF;

    PERFORM FROM leases AS s JOIN json_to_recordset(fences) AS f (pool_id uuid, epoch bigint) USING (pool_id, epoch)
    ORDER BY s.pool_id FOR SHARE OF s;
    GET DIAGNOSTICS fitting = ROW_COUNT;
    IF fitting < json_array_length(fences) THEN
        RETURN NULL;
    END IF;

    IF json_array_length(responses_now) > 0 AND EXISTS (
        SELECT FROM json_to_recordset(responses_now) AS n (attempt_id uuid, was int)
        LEFT JOIN responses AS r USING (attempt_id)
        WHERE coalesce(r.revision, 0) <> n.was
    ) THEN
        RETURN NULL;
    END IF;

    IF json_array_length(dials) > 0 AND EXISTS (
        SELECT FROM json_to_recordset(dials) AS d (campaign_id uuid, number_digest text, trunk text)
        WHERE EXISTS (SELECT FROM suppressed_numbers AS s WHERE s.digest = d.number_digest)
            OR EXISTS (
                SELECT FROM stops AS s
                WHERE s.scope = 'all' OR (s.scope, s.target) IN (('campaign', d.campaign_id::text), ('trunk', d.trunk))
            )
            OR NOT EXISTS (SELECT FROM campaigns AS c WHERE c.id = d.campaign_id AND c.state = 'running')
    ) THEN
        RETURN NULL;
    END IF;

    at := clock_timestamp();
    PERFORM commit_write(attempts_now, operators_now, leads_now, responses_now);
    PERFORM outbox_append(source, at, traceparent, shards, topics, keys, ids, types, payloads);
    RETURN at;
END $$;
COMMENT ON FUNCTION commit_batch IS 'The time at which the whole batch was written, null when some of it does not fit';
