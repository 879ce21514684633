-- A row is a date that has_rows reported wrongly as empty, or missed. A source
-- without a declaration must not be empty.
with

one_row as (

    select
        'raw' as part,
        1 as row_count

),

zero_rows (part, row_count) as (

    values
    ('raw', 0),
    ('curated', 1)

),

all_of_other_dates (part, row_count) as (

    values
    ('raw', 3),
    ('other_dates', 3)

),

one_of_the_date (part, row_count) as (

    values
    ('raw', 3),
    ('other_dates', 2)

),

not_counted as (

    select * from zero_rows
    where part = 'curated'

),

found as (

    select
        'one row' as name,
        *
    from (
        {{ test_has_rows('one_row', 'shop.none') }}
    ) as row_errors
    union all
    select
        'zero rows' as name,
        *
    from (
        {{ test_has_rows('zero_rows', 'shop.none') }}
    ) as zero_errors
    union all
    select
        'all of other dates' as name,
        *
    from (
        {{ test_has_rows('all_of_other_dates', 'shop.none') }}
    ) as all_errors
    union all
    select
        'one of the date' as name,
        *
    from (
        {{ test_has_rows('one_of_the_date', 'shop.none') }}
    ) as one_errors
    union all
    select
        'not counted' as name,
        *
    from (
        {{ test_has_rows('not_counted', 'shop.none') }}
    ) as uncounted_errors

),

expected (name, raw_rows) as (

    values
    ('zero rows', 0),
    ('all of other dates', 3),
    ('not counted', 0)

),

validation_errors as (

    {{ differences('found', 'expected', ['name', 'raw_rows']) }}

)

select * from validation_errors
