-- Nothing; the trunk's next free slot and what was spent today are kept.
UPDATE trunks SET next_slot_at = $2, spent_micros = $3, spend_on = $4 WHERE id = $1
