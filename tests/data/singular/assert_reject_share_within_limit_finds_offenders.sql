-- A row is a share of rejects that reject_share_within_limit reported wrongly
-- or missed. A source without a declaration has the limit 0.01.
with

at_the_limit (part, row_count) as (

    values
    ('raw', 1000),
    ('rejected', 4),
    ('rejected', 6)

),

above_the_limit as (

    select * from at_the_limit
    union all
    select
        'rejected' as part,
        1 as row_count

),

no_rows as (

    select * from at_the_limit
    where part = 'curated'

),

found as (

    select
        'at the limit' as name,
        *
    from (
        {{ test_reject_share_within_limit('at_the_limit', 'shop.none') }}
    ) as limit_errors
    union all
    select
        'above the limit' as name,
        *
    from (
        {{ test_reject_share_within_limit('above_the_limit', 'shop.none') }}
    ) as share_errors
    union all
    select
        'no rows' as name,
        *
    from (
        {{ test_reject_share_within_limit('no_rows', 'shop.none') }}
    ) as empty_errors

),

expected as (

    select
        'above the limit' as name,
        1000 as raw_rows,
        11 as rejected_rows

),

validation_errors as (

    {{ differences(
        'found', 'expected', ['name', 'raw_rows', 'rejected_rows']
    ) }}

)

select * from validation_errors
