-- A row is a difference that the macro of these tests reported wrongly or
-- missed. Compared by hand, because the macro would repeat its own errors.
with

found (name) as (

    values
    ('in both'),
    ('once too often'),
    ('once too often'),
    (null)

),

expected (name) as (

    values
    ('in both'),
    ('once too often'),
    ('not found')

),

shown as (

    {{ differences('found', 'expected', ['name']) }}

),

counted as (

    select
        count(*) as differences,
        count(
            case
                when problem = 'unexpected' and name = 'once too often' then 1
            end
        ) as repeated,
        count(
            case when problem = 'unexpected' and name is null then 1 end
        ) as made_up,
        count(
            case when problem = 'missed' and name = 'not found' then 1 end
        ) as missed
    from shown

),

validation_errors as (

    select
        differences,
        repeated,
        made_up,
        missed
    from counted
    where
        differences <> 3
        or repeated <> 1
        or made_up <> 1
        or missed <> 1

)

select * from validation_errors
