-- A row is a field that declared_fields_present reported wrongly or missed.
-- A record that is not an object cannot have it.
with

literal_rows (part, name, row_count) as (

    values
    ('raw', null, 5),
    ('rejected', 'record_not_object', 1),
    ('rejected', 'price_not_numeric', 1),
    ('missing', 'in no object', 4),
    ('missing', 'in one object', 3),
    ('undeclared', 'new', 4)

),

found as (

    {{ test_declared_fields_present('literal_rows', 'shop.none') }}

),

expected as (

    select
        'in no object' as field,
        4 as records_without_it

),

validation_errors as (

    {{ differences('found', 'expected', ['field', 'records_without_it']) }}

)

select * from validation_errors
