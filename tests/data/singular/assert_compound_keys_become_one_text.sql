-- A row is a key whose text differs from the expected one.
with

literal_rows as (

    select
        'DE' as country,
        7 as number

),

found as (

    select
        {{ key_text(['number']) }} as one_column,
        {{ key_text(['country', 'number']) }} as two_columns
    from literal_rows

),

validation_errors as (

    select
        one_column,
        two_columns
    from found
    where one_column <> '7' or two_columns <> 'DE / 7'

)

select * from validation_errors
