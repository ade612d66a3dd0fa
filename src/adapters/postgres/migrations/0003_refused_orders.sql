-- src/adapters/postgres/migrations/0003_refused_orders.sql - which orders of a batch are refused

-- Each order by itself, so that one refused says nothing of the others. The caller rolls back.
-- What passes by itself (a lock, a deadlock, no room) is not caught: it refuses nothing.
CREATE FUNCTION refused_orders(
    order_ids uuid[], shards bigint[], user_ids text[], item_ids text[], quantities bigint[],
    sequences bigint[], accepted timestamptz[], durabilities text[], keys bytea[], traces bytea[]
) RETURNS TABLE (refused uuid, code text, error text) LANGUAGE plpgsql AS $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM unnest(order_ids, shards, user_ids, item_ids, quantities, sequences,
                             accepted, durabilities, keys, traces)
            AS w (id, shard, user_id, item_id, quantity, sequence, accepted_at, durability, key,
                  trace)
    LOOP
        BEGIN
            INSERT INTO orders (order_id, shard, user_id, item_id, quantity, sequence, accepted_at,
                                durability, key, trace)
            VALUES (wanted.id, wanted.shard, wanted.user_id, wanted.item_id, wanted.quantity,
                    wanted.sequence, wanted.accepted_at, wanted.durability, wanted.key,
                    wanted.trace)
            ON CONFLICT (order_id) DO NOTHING;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR raise_exception THEN
            refused := wanted.id;
            code := SQLSTATE;
            error := SQLERRM;
            RETURN NEXT;
        END;
    END LOOP;
END $$;
