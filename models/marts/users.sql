-- Names for the people who belong or belonged to the organisation.

select
    connection,
    user_id,
    name,
    lower(email) as email,
    role,
    added_at,
    last_seen_at,
    vanished_at
from {{ ref('user_records') }}
order by connection, user_id
